"""The SDRAM chip's model for Python: a pin's step at a time, or as the times and rules of a bench in C++."""

from __future__ import annotations

import ctypes
import subprocess
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from models.cache import cached, digest

__all__ = ["BYTES", "HEADERS", "RULES", "ChipTimes", "SdramChip", "SdramCounts"]

FOLDER = Path(__file__).resolve().parent
HEADERS = (FOLDER / "chip.h", FOLDER / "rules.h")
BYTES = 4 * 8192 * 512 * 2
RULES = ("power_up", "order", "mode", "clock_enable", "t_mrd", "t_rfc", "t_rc", "t_ras", "t_ras_max", "t_rp", "t_rcd",
         "t_rrd", "t_wr", "open_bank", "closed_bank", "auto_precharge", "unknown_command", "bus_conflict", "bus_turn",
         "bus_floats", "refresh")
"""Names of what is forbidden; `sim/sdram/rules.h` says what each means."""

_FLAGS = ("-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared")


@dataclass(frozen=True)
class ChipTimes:
    """In ps; the fields of `SdramTimes` in sim/sdram/rules.h, which says where they come from."""

    t_rcd: int = 21_000
    t_rp: int = 21_000
    t_ras: int = 45_000
    t_ras_max: int = 100_000_000
    t_rc: int = 65_000
    t_rfc: int = 70_000
    t_rrd: int = 14_000
    t_wr: int = 14_000
    mrd_cycles: int = 2
    wr_cycles: int = 2
    rrd_cycles: int = 2
    cas_2: int = 10_000
    power_up: int = 200_000_000
    refreshes: int = 8
    window: int = 64_000_000_000
    forgets: bool = False

    def to_model(self) -> ctypes.Array:
        """The words of the C++ structure."""
        values = [int(value) for value in astuple(self)]
        return (ctypes.c_uint64 * len(values))(*values)


@dataclass(frozen=True)
class SdramCounts:
    """Commands that the chip was given."""

    activates: int
    precharges: int
    reads: int
    writes: int
    refreshes: int


@cache
def _library() -> ctypes.CDLL:
    sources = [FOLDER / "chip.cpp", *HEADERS]
    key = digest(tuple(path.read_text(encoding="utf-8") for path in sources), _FLAGS)

    def build(folder: Path) -> None:
        subprocess.run(["g++", *_FLAGS, str(sources[0]), "-o", str(folder / "chip.so")], check=True)

    library = ctypes.CDLL(str(cached("sdram_chip", key, build) / "chip.so"))
    u32, u64, pointer = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p
    for name, result, arguments in (
        ("chip_new", pointer, [pointer, ctypes.POINTER(u64)]), ("chip_delete", None, [pointer]),
        ("chip_edge", u32, [pointer, u64, *[u32] * 5]), ("chip_check_rows", None, [pointer]),
        ("chip_findings", None, [pointer, ctypes.POINTER(u64)]), ("chip_counts", None, [pointer, ctypes.POINTER(u64)]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class SdramChip:
    """One chip, powered up at time 0. `memory`: uint8 [BYTES], its content; a row's kilobyte lies behind that of the
    same row in the bank before."""

    _chip = None

    def __init__(self, times: ChipTimes | None = None) -> None:
        self._library = _library()
        self.memory = np.zeros(BYTES, np.uint8)
        self._chip = self._library.chip_new(self.memory.ctypes.data, (times or ChipTimes()).to_model())

    def __del__(self) -> None:
        if self._chip:
            self._library.chip_delete(self._chip)

    def edge(self, now: int, *, cke: int = 1, cs_n: int = 0, ras_n: int = 1, cas_n: int = 1, we_n: int = 1, ba: int = 0,
             a: int = 0, dqm: int = 0, dq: int = 0, oe: int = 0) -> int | None:
        """The pins before a rising edge at `now` ps; the word behind it that the chip drives, None where it does not.
        """
        pins = cke | cs_n << 1 | ras_n << 2 | cas_n << 3 | we_n << 4 | oe << 5
        self.bus = self._library.chip_edge(self._chip, now, pins, ba, a, dqm, dq)
        return self.bus & 0xFFFF if self.bus >> 16 else None

    def check_rows(self) -> None:
        """Find rows that are too old by now."""
        self._library.chip_check_rows(self._chip)

    @property
    def findings(self) -> dict[str, int]:
        """How often each rule was broken, those that were."""
        counts = (ctypes.c_uint64 * len(RULES))()
        self._library.chip_findings(self._chip, counts)
        return {rule: count for rule, count in zip(RULES, counts, strict=True) if count}

    @property
    def counts(self) -> SdramCounts:
        """Of commands so far."""
        counts = (ctypes.c_uint64 * 5)()
        self._library.chip_counts(self._chip, counts)
        return SdramCounts(*counts)
