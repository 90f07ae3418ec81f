"""Waveforms of a Verilated design: FST files, which Surfer and GTKWave open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.errors import OptionError
from models.output import check_output_file

__all__ = ["SUFFIX", "WAVES_FLAG", "WAVES_HEADERS", "WAVES_LIBRARIES", "Waves"]

SUFFIX = ".fst"
WAVES_FLAG = "--trace-fst"
WAVES_HEADERS = sorted((Path(__file__).resolve().parent / "verilated" / "fst").glob("*.h"))
# by the libraries' own names: Verilator's makefile asks for those that come with the headers
WAVES_LIBRARIES = "LDLIBS=$(VM_USER_LDLIBS) -l:liblz4.so.1 -l:libz.so.1"


@dataclass(frozen=True)
class Waves:
    """Signals over time, written to `path`, two time steps to a cycle of the clock.

    first, cycles: from this cycle of the simulation on, for so many (None: to its end). scope: an instance by its path,
    such as ``linear`` or ``vector.norm``, with all below; empty: the whole design.
    `OptionError` for what makes no sense, and for a file that cannot be written.
    """

    path: Path
    first: int = 0
    cycles: int | None = None
    scope: str = ""

    def __post_init__(self) -> None:
        if self.path.suffix != SUFFIX:
            raise OptionError(f"waves are written as {SUFFIX}: {self.path} must end in it")
        if self.first < 0:
            raise OptionError(f"waves begin at a cycle from 0 on, got {self.first}")
        if self.cycles is not None and self.cycles < 1:
            raise OptionError(f"waves take at least 1 cycle, got {self.cycles}")
        check_output_file(self.path)

    @property
    def end(self) -> int | None:
        """The first cycle behind them."""
        return None if self.cycles is None else self.first + self.cycles
