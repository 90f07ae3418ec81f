"""What the commands share: options, errors as one line, models and devices from options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from host.devices.base import Device
from host.devices.registry import DEVICES, open_device
from host.pipeline.artefact import load_stages
from host.runtime import Session
from models.checkpoint import Model, load_model
from models.errors import ModelError
from models.machine.build import BOARDS, board_parameters

__all__ = ["add_model_options", "open_session", "run_command"]


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """--model, --device, --board, --sparsity, --steer, --json."""
    parser.add_argument("--model", default="demo", metavar="DIR", help="a converted model's folder, or demo (default)")
    parser.add_argument("--device", default="emulator", metavar="NAME",
                        help=f"what runs it: {', '.join(DEVICES)} (default: emulator)")
    parser.add_argument("--board", default="sim-tiny", metavar="NAME",
                        help=f"build whose program format to use: {', '.join(BOARDS)} (default: sim-tiny)")
    parser.add_argument("--sparsity", metavar="ARTEFACT", help="thresholds from models.calibrate")
    parser.add_argument("--steer", metavar="ARTEFACT[:STRENGTH]", help="a steering vector from host.steer fit")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def open_session(options: argparse.Namespace, *, progress: bool) -> Session:
    """The model of the options loaded on their device."""
    build = board_parameters(options.board)
    model: Model = load_model(options.model)
    build.check(model.config)
    taps = load_stages(model, sparsity=options.sparsity, steer=options.steer)
    device: Device = open_device(options.device, build)
    return Session(model, device, taps=taps, progress=progress)


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
