"""What the commands share: options, errors as one line, models and devices from options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from host.devices.base import Device
from host.devices.registry import DEVICES, open_device
from host.emulator.library import KERNELS
from host.pipeline.artefact import load_stages
from host.runtime import Session
from models.checkpoint import Model, load_model
from models.errors import ModelError
from models.machine.build import BOARDS, CPU, BuildParameters, board_parameters

__all__ = ["add_model_options", "open_session", "parse_ids", "run_command", "with_context"]


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """--model, --device, --board, --context, --threads, --kernels, --sparsity, --steer, --json."""
    parser.add_argument("--model", default="demo", metavar="DIR", help="a converted model's folder, or demo (default)")
    parser.add_argument("--device", default="emulator", metavar="NAME",
                        help=f"what runs it: {', '.join(DEVICES)} (default: emulator)")
    parser.add_argument("--board", metavar="NAME",
                        help=f"build of the accelerator: {', '.join(BOARDS)} (default: sim-tiny; the emulator takes "
                             "weights as they lie in the file and has no such limits)")
    parser.add_argument("--context", type=int, metavar="N",
                        help="tokens the cache holds (default: the model's, as far as the build goes)")
    parser.add_argument("--threads", type=int, metavar="N", help="of the emulator (default: as many processors as pay)")
    parser.add_argument("--kernels", default="auto", metavar="NAME",
                        help=f"of the emulator: {', '.join(KERNELS)} (default: auto); all give the same bits")
    parser.add_argument("--sparsity", metavar="ARTEFACT", help="thresholds from models.calibrate")
    parser.add_argument("--steer", metavar="ARTEFACT[:STRENGTH]", help="a steering vector from host.steer fit")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def open_session(options: argparse.Namespace, *, progress: bool, sequences: int = 1) -> Session:
    """The model of the options loaded on their device, with a cache for each of `sequences`."""
    emulated = options.device == "emulator"
    build = CPU if emulated and options.board is None else board_parameters(options.board or "sim-tiny")
    if not emulated and (options.threads is not None or options.kernels != "auto"):
        raise ModelError(f"--threads and --kernels are the emulator's: device {options.device} has none")
    model = with_context(load_model(options.model), build, options.context)
    build.check(model.config)
    taps = load_stages(model, sparsity=options.sparsity, steer=options.steer)
    extra = {"kernels": options.kernels, "threads": options.threads} if emulated else {}
    device: Device = open_device(options.device, build, **extra)
    return Session(model, device, taps=taps, sequences=sequences, progress=progress)


def with_context(model: Model, build: BuildParameters, context: int | None) -> Model:
    """The model with a cache of `context` tokens; None: its own context, or the build's where that is shorter."""
    if context is None:
        context = min(model.config.context, build.context_max)
        if context < model.config.context:
            print(f"note: the context is {context} tokens of the model's {model.config.context}", file=sys.stderr)
    if not 1 <= context <= model.config.context:
        raise ModelError(f"--context must be 1 to the model's {model.config.context}, got {context}")
    return replace(model, config=replace(model.config, context=context))


def parse_ids(value: str) -> list[int]:
    """Token ids as the user writes them: 1,2,3."""
    try:
        return [int(item) for item in value.split(",")]
    except ValueError:
        raise ModelError(f"--ids must be numbers with commas between, got {value!r}") from None


def run_command(main: Callable[[Sequence[str] | None], None], arguments: Sequence[str] | None = None) -> None:
    """Run a command's `main`; bad input ends in one line on standard error and exit status 2."""
    try:
        main(arguments)
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
