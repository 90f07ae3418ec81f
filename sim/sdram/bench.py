"""An SDRAM controller under Verilator, all in C++: lists of AXI bursts on one side, the chip's model on the other."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from sim.sdram.chip import BYTES, HEADERS, RULES, ChipTimes, SdramCounts
from sim.verilate import verilate

__all__ = ["BURST", "BenchError", "MasterList", "SdramBench"]

FOLDER = Path(__file__).resolve().parent
BEAT = 16
BURST = np.dtype([(name, np.uint64) for name in (
    "write", "address", "beats", "size", "kind", "id", "data", "response", "sent", "first", "done")])
"""A burst, as AXI has it (`size` and `kind` are AxSIZE and AxBURST). data: the number of its first beat in the master's
arrays. The last four are filled in: the worst response, and the cycles of address, first beat and end."""
_TIMEOUT = (1 << 64) - 1


class BenchError(AssertionError):
    """The controller broke a rule of AXI, or left a burst without an answer."""


@dataclass(frozen=True)
class MasterList:
    """What a master does: bursts [n] of `BURST`, data uint8 [beats, 16], written or read, strobes uint16 [beats]."""

    bursts: np.ndarray
    data: np.ndarray
    strobes: np.ndarray

    @classmethod
    def reads(cls, addresses: np.ndarray, beats: int = 16) -> MasterList:
        """Reads of `beats` beats each."""
        bursts = np.zeros(len(addresses), BURST)
        bursts["address"], bursts["beats"], bursts["size"], bursts["kind"] = addresses, beats, 4, 1
        bursts["data"] = np.arange(len(addresses)) * beats
        count = len(addresses) * beats
        return cls(bursts, np.zeros((count, BEAT), np.uint8), np.zeros(count, np.uint16))


@cache
def _library(verilog: str, masters: int) -> ctypes.CDLL:
    path = verilate(
        verilog, "bench.so", sources=[FOLDER / "bench.cpp"],
        includes=[*HEADERS, FOLDER / "traffic.h", FOLDER.parent / "verilated" / "random.h"],
        flags=["--x-assign", "fast", "--x-initial", "fast", "-O3"],
        cflags=["-fPIC", "-fvisibility=default", "-fno-gnu-unique", "-std=c++17"], defines=[f"MASTERS={masters}"],
        ldflags=["-shared", "-Wl,-Bsymbolic"], optimise="-O2")
    library = ctypes.CDLL(str(path))
    u64, pointer = ctypes.c_uint64, ctypes.c_void_p
    u64s = ctypes.POINTER(u64)
    for name, result, arguments in (
        ("bench_new", pointer, [pointer, u64s, u64, u64]), ("bench_delete", None, [pointer]),
        ("bench_run", u64, [pointer, *[ctypes.POINTER(pointer)], u64s, *[ctypes.POINTER(pointer)] * 2, *[u64] * 4]),
        ("bench_idle", None, [pointer, u64]), ("bench_ready", u64, [pointer]), ("bench_cycle", u64, [pointer]),
        ("bench_check_rows", None, [pointer]), ("bench_findings", None, [pointer, u64s]),
        ("bench_counts", None, [pointer, u64s]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class SdramBench:
    """A controller of `masters` (1 or 2) ports out of reset, and its chip. `memory`: uint8, by the bus' addresses.

    verilog: module top, as `sim.runner.emit_verilog` has it. shifted: the chip's clock comes half a cycle later.
    """

    _bench = None

    def __init__(self, verilog: str, masters: int, clock_mhz: float, *, times: ChipTimes | None = None,
                 shifted: bool = False) -> None:
        self._library, self._masters = _library(verilog, masters), masters
        self.memory = np.zeros(BYTES, np.uint8)
        self._bench = self._library.bench_new(self.memory.ctypes.data, (times or ChipTimes()).to_model(),
                                              round(1e6 / clock_mhz), shifted)

    def __del__(self) -> None:
        if self._bench:
            self._library.bench_delete(self._bench)

    def start(self) -> int:
        """Let the chip be initialised; the cycles it took. `BenchError` where that does not end."""
        while not self._library.bench_ready(self._bench):
            if self.cycle > 100_000:
                raise BenchError("the chip is not initialised")
            self.idle(1)
        return self.cycle

    def run(self, lists: Sequence[MasterList], *, pause: float = 0.0, under_way: int = 8, seed: int = 1,
            cycles: int = 4_000_000) -> None:
        """Run the lists, one a master, to their ends. pause: the probability that a channel rests in a cycle.
        `BenchError` for wrong answers, and where they do not end within so many cycles."""
        pointers = ctypes.c_void_p * self._masters
        counts = (ctypes.c_uint64 * self._masters)(*(len(list_.bursts) for list_ in lists))
        errors = self._library.bench_run(
            self._bench, pointers(*(list_.bursts.ctypes.data for list_ in lists)), counts,
            pointers(*(list_.data.ctypes.data for list_ in lists)),
            pointers(*(list_.strobes.ctypes.data for list_ in lists)), round(pause * (1 << 32)), under_way, seed,
            cycles)
        if errors:
            raise BenchError("bursts are not answered" if errors == _TIMEOUT else f"{errors} answers are wrong")

    def idle(self, cycles: int) -> None:
        """Let cycles pass."""
        self._library.bench_idle(self._bench, cycles)

    @property
    def cycle(self) -> int:
        """Cycles so far."""
        return self._library.bench_cycle(self._bench)

    def check_rows(self) -> None:
        """Have the chip look for rows that are too old."""
        self._library.bench_check_rows(self._bench)

    @property
    def findings(self) -> dict[str, int]:
        """The chip's rules that were broken, and how often."""
        counts = (ctypes.c_uint64 * len(RULES))()
        self._library.bench_findings(self._bench, counts)
        return {rule: count for rule, count in zip(RULES, counts, strict=True) if count}

    @property
    def counts(self) -> SdramCounts:
        """The chip's commands."""
        counts = (ctypes.c_uint64 * 5)()
        self._library.bench_counts(self._bench, counts)
        return SdramCounts(*counts)
