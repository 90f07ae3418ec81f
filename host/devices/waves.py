"""Which signals of a simulation are written over time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.errors import OptionError
from models.output import check_output_file

__all__ = ["WAVES_SUFFIX", "Waves"]

WAVES_SUFFIX = ".fst"


@dataclass(frozen=True)
class Waves:
    """Signals over time, written to `path`, with times of the build's clock.

    first, cycles: from this cycle of the simulation on, for so many (None: to its end). scope: an instance by its path,
    such as ``linear`` or ``vector.norm``, with all below; empty: the whole design.
    `OptionError` for what makes no sense, and for a file that cannot be written.
    """

    path: Path
    first: int = 0
    cycles: int | None = None
    scope: str = ""

    def __post_init__(self) -> None:
        if self.path.suffix != WAVES_SUFFIX:
            raise OptionError(f"waves are written as {WAVES_SUFFIX}: {self.path} must end in it")
        if self.first < 0:
            raise OptionError(f"waves begin at a cycle from 0 on, got {self.first}")
        if self.cycles is not None and self.cycles < 1:
            raise OptionError(f"waves take at least 1 cycle, got {self.cycles}")
        check_output_file(self.path)

    @property
    def end(self) -> int | None:
        """The first cycle behind them."""
        return None if self.cycles is None else self.first + self.cycles
