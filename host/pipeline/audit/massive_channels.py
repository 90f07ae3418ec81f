"""Massive channels of the residual, what a clip leaves alone, and how they grow over the layers.

Source: "Hidden Dynamics of Massive Activations in Transformer Training"; the curve is `host.pipeline.massive`'s.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.audit.audit import Audit, add_model_and_text, at_least
from host.pipeline.massive import FACTOR, LEAST_LAYERS, fit_growth, largest_values, massive_channels
from host.pipeline.observing import residuals
from host.pipeline.texts import text_ids
from models.checkpoint import load_model
from models.errors import OptionError
from models.machine.build import CPU
from models.markdown import markdown_table

__all__ = ["MassiveChannels"]


class MassiveChannels(Audit):
    """Which channels of the residual are far larger than all others."""

    name, summary = "massive", "massive activations of the residual"
    description = ("Channels of the residual that are far larger than all others, what a clip leaves alone, and their "
                   "growth over the layers; on the emulator.")

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Text and factor."""
        add_model_and_text(parser, 1024)
        parser.add_argument("--factor", type=float, default=FACTOR, help="times the median magnitude of its token that "
                            "a value must be (default: %(default)g)")

    @staticmethod
    def answer(options: argparse.Namespace) -> dict[str, Any]:
        """The most massive value of each layer, the channels, the growth."""
        at_least(options, tokens=1)
        if not options.factor > 1:
            raise OptionError(f"--factor must be more than 1, got {options.factor:g}")
        model = load_model(options.model)
        ids = text_ids(model, options.text)[:options.tokens]
        seen = residuals(model, EmulatorDevice(CPU), ids, description="massive", skipped=0)
        largest = largest_values(seen)
        growth = fit_growth(np.array([found.ratio for found in largest]))
        return {"tokens": len(ids), "factor": options.factor,
                "channels": np.flatnonzero(massive_channels(seen, options.factor)).tolist(),
                "layers": [found._asdict() | {"ratio": found.ratio} for found in largest],
                "growth": None if growth is None else growth._asdict()}

    @staticmethod
    def page(found: dict[str, Any]) -> str:
        """A row a layer, the channels, the curve."""
        rows = [[str(layer), f"{one['value']:.4g}", str(one["channel"]), str(one["token"]), f"{one['ratio']:.1f}"]
                for layer, one in enumerate(found["layers"])]
        channels = ", ".join(map(str, found["channels"])) or "none"
        growth = found["growth"]
        curve = (f"no growth is fitted to fewer than {LEAST_LAYERS} layers, or to equal ones" if growth is None else
                 "Ratio of a layer: {amplitude:.4g} exp(-{rate:.4g} s) log(s) + {offset:.4g}, s = {step:.4g} layer + "
                 "{start:.4g}; R2 {explained:.3f} with five parameters for {layers} values".format(
                     **growth, layers=len(rows)))
        return "\n\n".join([
            markdown_table(["layer", "largest value", "channel", "token", "times its token's median"], rows),
            f"Channels of at least {found['factor']:g} times the median: {channels}.", f"{curve}."])
