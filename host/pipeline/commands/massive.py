"""`python -m host.pipeline massive`: a model's massive activations on a text, and how they grow over the layers."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.massive import FACTOR, LEAST_LAYERS, fit_growth, largest_values, massive_channels
from host.pipeline.methods import Methods
from host.pipeline.observing import residuals
from host.pipeline.texts import text_ids
from models.checkpoint import load_model
from models.errors import OptionError
from models.machine.build import CPU

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction, methods: Methods) -> None:
    """Its parser."""
    parser = commands.add_parser("massive", help="massive activations of the residual",
                                 description="Channels of the residual that are far larger than all others, what a "
                                 "clip leaves alone, and their growth over the layers; on the emulator.")
    parser.add_argument("--model", default="demo", metavar="DIR", help="a model's folder, demo (default) or bilingual")
    parser.add_argument("--text", type=Path, required=True, metavar="FILE")
    parser.add_argument("--tokens", type=int, default=1024, help="tokens of it to look at (default: %(default)s)")
    parser.add_argument("--factor", type=float, default=FACTOR,
                        help="times the median magnitude of its token that a value must be (default: %(default)g)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    if options.tokens < 1:
        raise OptionError(f"--tokens must be at least 1, got {options.tokens}")
    if not options.factor > 1:
        raise OptionError(f"--factor must be more than 1, got {options.factor:g}")
    model = load_model(options.model)
    ids = text_ids(model, options.text)[:options.tokens]
    seen = residuals(model, EmulatorDevice(CPU), ids, description="massive", skipped=0)
    largest = largest_values(seen)
    growth = fit_growth(np.array([found.ratio for found in largest]))
    result: dict[str, Any] = {
        "tokens": len(ids), "factor": options.factor,
        "channels": np.flatnonzero(massive_channels(seen, options.factor)).tolist(),
        "layers": [found._asdict() | {"ratio": found.ratio} for found in largest],
        "growth": None if growth is None else growth._asdict()}
    if options.json:
        print(json.dumps(result))
    else:
        _print(result)


def _print(result: dict[str, Any]) -> None:
    for layer, found in enumerate(result["layers"]):
        print(f"layer {layer}: {found['value']:.4g} in channel {found['channel']} at token {found['token']}, "
              f"{found['ratio']:.1f} times the median {found['median']:.4g}")
    channels = ", ".join(map(str, result["channels"])) or "none"
    print(f"channels of at least {result['factor']:g} times the median: {channels}")
    if (growth := result["growth"]) is None:
        print(f"no growth is fitted to fewer than {LEAST_LAYERS} layers, or to equal ones")
    else:
        print("ratio of a layer: {amplitude:.4g} exp(-{rate:.4g} s) log(s) + {offset:.4g}, s = {step:.4g} layer + "
              "{start:.4g}; R2 {explained:.3f} with five parameters for {layers} values".format(
                  **growth, layers=len(result["layers"])))
