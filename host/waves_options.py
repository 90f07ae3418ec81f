"""The options that say which signals of a simulation go to a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from host.devices.waves import Waves
from models.errors import OptionError

__all__ = ["add_waves_options", "chosen_waves"]


def add_waves_options(parser: argparse.ArgumentParser) -> None:
    """--waves, --waves-from, --waves-cycles, --waves-scope."""
    parser.add_argument("--waves", type=Path, metavar="FILE",
                        help="of the simulated Verilog, write signals over time (.fst, for Surfer or GTKWave)")
    parser.add_argument("--waves-from", type=int, metavar="CYCLE",
                        help="from this cycle of the simulation on (default: 0; a trace of sim.bench names them)")
    parser.add_argument("--waves-cycles", type=int, metavar="N", help="for so many cycles (default: to the end)")
    parser.add_argument("--waves-scope", metavar="NAME",
                        help="of this instance and all below it, such as linear or vector.norm (default: of all)")


def chosen_waves(options: argparse.Namespace) -> Waves | None:
    """What the options ask for, None for nothing and for a command without them.

    `OptionError` for what makes no sense, and where the device is no simulation.
    """
    given = {name: value for name, value in vars(options).items() if name.startswith("waves_") and value is not None}
    path = getattr(options, "waves", None)
    if path is None:
        if given:
            raise OptionError(f"--{next(iter(given)).replace('_', '-')} belongs to --waves")
        return None
    if getattr(options, "device", "rtl") != "rtl":
        raise OptionError("--waves belongs to --device rtl: no other device has signals")
    return Waves(path, given.get("waves_from", 0), given.get("waves_cycles"), given.get("waves_scope", ""))
