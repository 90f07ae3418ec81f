"""Where a device's cycles went: the fabric's own counters of its engines' work, on a simulation and on a board."""

from __future__ import annotations

import argparse

from host.runtime import Counters, Session
from models.errors import OptionError
from models.machine.descriptor import Engine

__all__ = ["add_profile_option", "check_profile", "profile_json", "profile_lines"]


def add_profile_option(parser: argparse.ArgumentParser) -> None:
    """--profile."""
    parser.add_argument("--profile", action="store_true",
                        help="of a device that counts cycles (rtl, serial, pynq), in how many each engine was at work")


def check_profile(options: argparse.Namespace) -> None:
    """`OptionError` where the device of the options counts no cycles."""
    if options.profile and options.device == "emulator":
        raise OptionError("--profile belongs to devices that count cycles, rtl, serial, pynq: the emulator counts none")


def profile_json(session: Session) -> dict[str, object]:
    """Cycles of all runs, the clock that they stand for, and by engine those in which it worked on a descriptor."""
    return {"cycles": session.counters.cycles, "clock_mhz": session.device.build.clock_mhz,
            "busy": _busy(session.counters)}


def profile_lines(session: Session, tokens: int) -> list[str]:
    """The same for a reader. tokens: that went through the device, prompt and answer together."""
    cycles, mhz = session.counters.cycles, session.device.build.clock_mhz
    a_token = f", {cycles / tokens / mhz:,.1f} µs a token at {mhz} MHz" if tokens else ""
    lines = [f"{cycles:,} cycles{a_token}; engines work side by side:"]
    for name, busy in _busy(session.counters).items():
        lines.append(f"  {name:8}{busy:>14,} cycles at work {100 * busy / max(cycles, 1):6.2f} %")
    return lines


def _busy(counters: Counters) -> dict[str, int]:
    return {engine.name.lower(): (counters.busy or {}).get(engine, 0) for engine in Engine}
