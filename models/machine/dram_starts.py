"""Where streams and caches begin modulo the period of a memory's banks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from models.errors import OptionError
from models.json_file import read_object

__all__ = ["PACKED", "DramStarts"]

_UNIT = 4096  # of starts: a page, and whole bursts of all ports
_LARGEST = 1 << 20


@dataclass(frozen=True)
class DramStarts:
    """Weight and head streams begin `streams` bytes behind a multiple of `period`, caches `caches` bytes.

    The fabric gives each port 16 KiB of every 64 KiB of a stream, one port behind the other (`layout.stripe`): the
    start of a stream modulo 64 KiB says in which of the KV260's banks each port reads, at 0 in one of its own. A period
    of 0: as close together as bursts allow. What is shorter than a period is packed too.
    `OptionError` for a period that is neither 0 nor a power of two from 4 KiB to 1 MiB, and for starts that are no
    multiples of 4 KiB below it.
    """

    period: int = 0
    streams: int = 0
    caches: int = 0

    def __post_init__(self) -> None:
        if self.period and not (_UNIT <= self.period <= _LARGEST and self.period & self.period - 1 == 0):
            raise OptionError(f"the period of starts must be 0 or a power of two, {_UNIT} to {_LARGEST} bytes, "
                              f"got {self.period}")
        for name in ("streams", "caches"):
            if (value := getattr(self, name)) % _UNIT or not 0 <= value < max(self.period, 1):
                raise OptionError(f"the start of {name} must be a multiple of {_UNIT} below the period, got {value}")

    def behind(self, end: int, size: int, start: int, align: int) -> int:
        """Where a region of `size` bytes that must be `align`ed, and should have this start, begins behind `end`."""
        if not self.period or size < self.period:
            start, period = 0, align
        else:
            period = max(self.period, align)
        return end + (start - end) % period

    def to_json(self) -> dict[str, int]:
        """All fields."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> DramStarts:
        """The starts of `to_json`'s values; `OptionError` for unknown names and what is no integer."""
        known = {field.name for field in fields(cls)}
        for name, value in values.items():
            if name not in known or type(value) is not int:
                raise OptionError(f"{name!r}: {value!r} is no start; expected integers {', '.join(sorted(known))}")
        return cls(**values)

    @classmethod
    def read(cls, path: Path) -> DramStarts:
        """Those of a JSON file; `ModelError` where it cannot be read, `OptionError` as for `from_json`."""
        return cls.from_json(read_object(path))


PACKED = DramStarts()
"""For memories whose banks nobody described."""
