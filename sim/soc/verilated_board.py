"""A whole board without a processor under Verilator: its chip, its SDRAM, and a serial line, all in C++.

Python gives the bytes that a host sends, takes those that come, and lets time pass; `sim/soc/board.cpp` does the rest.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw.boards.registry import board_of
from hw.emit import kept_verilog, with_top
from models.errors import BuildError
from models.machine.build import BuildParameters
from sim.memory_counters import Counters
from sim.sdram.chip import BYTES, HEADERS, RULES, ChipTimes, SdramCounts
from sim.soc.core_clock import with_core_clock
from sim.soc.line_fault import LineFault
from sim.verilate import verilate
from sim.verilator_env import verilator_environment

__all__ = ["BoardCounters", "Lights", "VerilatedBoard", "simulated_board"]

_HARNESS = Path(__file__).resolve().parent
_OPTIMISE = "-O1"
_ROOM = 1 << 16  # bytes taken at a time


@dataclass(frozen=True)
class BoardCounters(Counters):
    """What has happened since the beginning, all in cycles of the board's clock or bytes.

    A cycle is one of a run of the core; else one in which the host takes its time (`send`); else one with bits on the
    line, either way; else one in which the link holds a request; else nothing is to do.
    """

    cycles: int
    run: int
    line: int
    link: int
    host: int
    sent: int
    """Bytes to the board."""
    received: int
    broken: int
    """Bytes to the host without a stop bit."""
    runs: int


@dataclass(frozen=True)
class Lights:
    """The board's LEDs."""

    alive: bool
    busy: bool
    error: bool


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    board, u32, u64, boolean = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_bool
    for name, result, arguments in (
        ("new", board, [board, ctypes.POINTER(u64), u64, u64]),
        ("delete", None, [board]),
        ("reset", None, [board, u32]),
        ("pass", None, [board, u64]),
        ("run", u64, [board, u64, boolean]),
        ("run_to_start", None, [board, u64]),
        ("send", None, [board, ctypes.c_char_p, u64, u64]),
        ("receive", u64, [board, ctypes.c_char_p, u64]),
        ("let_rest", None, [board, boolean]),
        ("idle", boolean, [board]),
        ("running", boolean, [board]),
        ("lights", u32, [board]),
        ("counters", None, [board, ctypes.POINTER(u64)]),
        ("findings", None, [board, ctypes.POINTER(u64)]),
        ("commands", None, [board, ctypes.POINTER(u64)]),
        ("plant", None, [board, boolean, u32, u32, u32]),
        ("clear_faults", None, [board]),
        ("acted", u64, [board]),
    ):
        function = getattr(library, f"board_{name}")
        function.restype, function.argtypes = result, arguments
    return library


def build_board(verilog: str) -> Path:
    """The library of module `top`, a `SerialSoc`, with its SDRAM; from the cache where it is there. `BuildError` where
    that fails."""
    return verilate(
        with_core_clock(verilog),
        "board.so",
        sources=[_HARNESS / "board.cpp", _HARNESS / "watched.vlt"],
        includes=[*sorted(_HARNESS.glob("*.h")), *HEADERS],
        flags=["--x-assign", "fast", "--x-initial", "fast", "-O3"],
        # Two boards in one process: no symbol of one library may stand for the other's.
        cflags=["-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-std=c++17"],
        ldflags=["-shared", "-Wl,-Bsymbolic"],
        headers=["memory", "string", "verilated.h", "verilated_threads.h"],
        optimise=_OPTIMISE,
        what="compiling the Verilog with Verilator",
    )


def simulated_board(build: BuildParameters, memory: np.ndarray | None = None, *, times: ChipTimes | None = None
                    ) -> VerilatedBoard:
    """The board of a build, out of reset; `BuildError` where there is none, or it cannot be made."""
    board = board_of(build)
    if board.serial is None:
        raise BuildError(f"board {board.name} has no serial line: its device is rtl")
    verilator_environment()  # a tool that is missing is told before the Verilog is written
    return VerilatedBoard(with_top(kept_verilog(build)[0], "top"), clock_mhz=build.clock_mhz, baud=board.serial.baud,
                          memory=memory, times=times)


class VerilatedBoard:
    """One board. memory: what its SDRAM holds, BYTES bytes in the order of their addresses; zeros by default.

    Time passes only in `run`, `pass_time` and `reset`. Raises `BuildError` where the build fails, ValueError for memory
    of another size.
    """

    _board: int | None = None  # what C++ made, until `close`

    def __init__(self, verilog: str, *, clock_mhz: float, baud: int, memory: np.ndarray | None = None,
                 times: ChipTimes | None = None) -> None:
        self.memory = np.zeros(BYTES, np.uint8) if memory is None else memory
        if self.memory.dtype != np.uint8 or self.memory.shape != (BYTES,) or not self.memory.flags.c_contiguous:
            raise ValueError(f"the memory must be a vector of {BYTES} uint8")
        self.clock_hz = round(clock_mhz * 1e6)
        self._library = _load(build_board(verilog))
        self._board = self._library.board_new(self.memory.ctypes.data, (times or ChipTimes()).to_model(), baud,
                                             self.clock_hz)

    def __enter__(self) -> VerilatedBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the simulation; nothing else may be called after."""
        if self._board is not None:
            self._library.board_delete(self._board)
            self._board = None

    def __del__(self) -> None:
        self.close()

    def reset(self, cycles: int = 4) -> None:
        """Reset the whole chip in the midst of what it does, as when its bitstream is loaded; the SDRAM keeps what it
        holds, and bytes on the line go their way."""
        self._library.board_reset(self._board, cycles)

    def send(self, data: bytes, delay: int = 0) -> None:
        """Put bytes on the line to the board, behind those that wait there; where none do, after `delay` cycles."""
        self._library.board_send(self._board, data, len(data), delay)

    def receive(self) -> bytes:
        """The bytes that have come from the board since the last call."""
        parts, text = [], ctypes.create_string_buffer(_ROOM)
        while count := self._library.board_receive(self._board, text, _ROOM):
            parts.append(text.raw[:count])
        return b"".join(parts)

    def run(self, cycles: int, *, until_received: bool = False) -> int:
        """Let that many cycles pass; fewer where nothing is to do any more, or, if asked for, until a byte has come.
        Returns how many."""
        return self._library.board_run(self._board, cycles, until_received)

    def run_to_start(self, cycles: int) -> None:
        """Let time pass until a run of the core begins, at most that many cycles."""
        self._library.board_run_to_start(self._board, cycles)

    def pass_time(self, cycles: int) -> None:
        """Let that many cycles pass, whatever they are for."""
        self._library.board_pass(self._board, cycles)

    def let_core_rest(self, rests: bool) -> None:
        """Whether a core at rest is left out of the simulation, as at first, which is faster. The cycles are the same
        either way."""
        self._library.board_let_rest(self._board, rests)

    @property
    def idle(self) -> bool:
        """Whether nothing is to do until bytes are sent: no run, no bits on the line, nothing that the link owes."""
        return self._library.board_idle(self._board)

    @property
    def running(self) -> bool:
        """Whether a run of the core is under way."""
        return self._library.board_running(self._board)

    @property
    def lights(self) -> Lights:
        """The LEDs."""
        bits = self._library.board_lights(self._board)
        return Lights(*(bool(bits >> place & 1) for place in range(3)))

    def counters(self) -> BoardCounters:
        """What has happened since the beginning."""
        return BoardCounters.read(lambda values: self._library.board_counters(self._board, values))

    @property
    def findings(self) -> dict[str, int]:
        """How often each rule of the SDRAM chip was broken (`sim.sdram.chip.RULES`), those that were."""
        counts = (ctypes.c_uint64 * len(RULES))()
        self._library.board_findings(self._board, counts)
        return {rule: count for rule, count in zip(RULES, counts, strict=True) if count}

    @property
    def commands(self) -> SdramCounts:
        """What the SDRAM was told so far."""
        counts = (ctypes.c_uint64 * 5)()
        self._library.board_commands(self._board, counts)
        return SdramCounts(*counts)

    def plant(self, fault: LineFault) -> None:
        """Let a byte go wrong."""
        self._library.board_plant(self._board, fault.to_host, fault.wrong, fault.at, fault.bits)

    def clear_faults(self) -> None:
        """Let none of those planted go wrong any more."""
        self._library.board_clear_faults(self._board)

    @property
    def acted(self) -> int:
        """Bytes that have gone wrong so far."""
        return self._library.board_acted(self._board)
