"""Energy and material a token: `python -m hw.analytic.footprint --tokens-per-s 75 --busy-watts W --idle-watts W`.

What is done over a board's life is divided into what it takes: the method of *From FLOPs to Footprints* (arXiv
2512.04142), with tokens for FLOPs. Nothing here is measured; docs/energy.md says what the numbers are and are not.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from models.command import CommandParser, run_command
from models.errors import OptionError
from models.markdown import markdown_table

__all__ = ["Life", "main", "memory_joules", "parser"]

SECONDS_A_YEAR = 365.25 * 24 * 3600
BUSY = (0.01, 0.1, 0.5, 1.0)
YEARS = (3.0, 6.0)


@dataclass(frozen=True)
class Life:
    """A board's: busy is the share of its time in which it makes tokens; else it idles, switched on."""

    tokens_per_s: float
    busy_watts: float
    idle_watts: float
    busy: float
    years: float

    @property
    def tokens(self) -> float:
        """Of all its years."""
        return self.tokens_per_s * self.busy * self.years * SECONDS_A_YEAR

    @property
    def joules_a_token(self) -> float:
        """With the idle time that a token brings along."""
        return (self.busy_watts + self.idle_watts * (1 - self.busy) / self.busy) / self.tokens_per_s

    def grams_per_million(self, grams: float) -> float:
        """Of a board's mass, or of one element in it, for a million tokens."""
        return grams / self.tokens * 1e6


def memory_joules(bytes_a_token: float, picojoules_a_bit: float) -> float:
    """Of moving a token's bytes."""
    return bytes_a_token * 8 * picojoules_a_bit * 1e-12


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    result = CommandParser("hw.analytic.footprint", description="Energy and material a token, over a board's life.")
    result.add_argument("--tokens-per-s", type=float, required=True, metavar="N", help="while it is busy")
    result.add_argument("--busy-watts", type=float, required=True, metavar="W")
    result.add_argument("--idle-watts", type=float, required=True, metavar="W", help="with the bitstream loaded")
    result.add_argument("--grams", type=float, default=100.0, metavar="G",
                        help="of the board, or of an element in it (default: 100, to be scaled)")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command: a row for each share of busy time and each life, as Markdown."""
    options = parser().parse_args(arguments)
    for name in ("tokens_per_s", "busy_watts", "grams"):
        if not 0 < getattr(options, name) < float("inf"):
            raise OptionError(f"--{name.replace('_', '-')} must be above 0, got {getattr(options, name)}")
    if not 0 <= options.idle_watts <= options.busy_watts:
        raise OptionError(f"--idle-watts must be from 0 to the busy ones, got {options.idle_watts}")
    rows = []
    for busy in BUSY:
        lives = [Life(options.tokens_per_s, options.busy_watts, options.idle_watts, busy, years) for years in YEARS]
        rows.append([f"{busy:.0%}", f"{lives[0].joules_a_token:.3g}",
                     *(f"{life.grams_per_million(options.grams):.3g}" for life in lives)])
    print(markdown_table(["busy", "J a token", *(f"g a million tokens, {years:g} years" for years in YEARS)], rows))


if __name__ == "__main__":
    run_command(main)
