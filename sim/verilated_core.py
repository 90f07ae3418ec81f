"""A whole core under Verilator with its AXI memory and its processor's register port, all in C++.

Python sets the scene, reads and writes registers and memory, and lets it run: no Python runs within a cycle, so
a small core makes more than half a million cycles a second. `sim/verilated/core.cpp` states the ports' names.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np

from host.devices.waves import Waves
from hw.boards.memory_rate import MODELS
from hw.module_names import SEPARATOR
from models.errors import DeviceError
from sim.ddr_parameters import DDR, SIXTEENTHS, DdrParameters
from sim.memory_counters import DramCounters, PortCounters
from sim.port_fault import PortFault
from sim.verilate import verilate
from sim.waves import check_scope

__all__ = ["CHUNK", "CoreError", "VerilatedCore", "build_core"]

HARNESS = Path(__file__).resolve().parent / "verilated"
CHUNK = 20_000  # cycles between two reports of progress, and between two looks for Ctrl-C: a second at most
MAX_PORTS = 4
MAX_BOARD_OUTSTANDING = 32  # what the DDR controller's model has tickets for
NO_ANSWER = -1
PS_PER_HALF_CYCLE = 500_000  # at 1 MHz
WATCHED = f"{SEPARATOR}control{SEPARATOR}queue_"  # in the names of the accelerator's modules
OPTIMISE = "-O1"  # at -O2 a build takes a third longer, a run a seventh less


class CoreError(DeviceError):
    """The core did not answer, or refused an access."""


def build_core(verilog: str, ports: int, *, waves: bool = False) -> Path:
    """The library of module ``top`` with its memory, from the cache where it is there; waves: whether it can write its
    signals to a file. `BuildError` where that fails."""
    flags = ["--x-assign", "fast", "--x-initial", "fast", "-O3"]
    watched = WATCHED in verilog
    return verilate(
        verilog,
        "core.so",
        sources=[HARNESS / "core.cpp", *([HARNESS / "watched.vlt"] if watched else [])],
        includes=sorted(HARNESS.glob("*.h")),
        flags=flags,
        # Two cores in one process: no symbol of one library may stand for the other's.
        cflags=["-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-std=c++17"],
        defines=[f"PORTS={ports}", *(["WATCHED"] if watched else [])],
        ldflags=["-shared", "-Wl,-Bsymbolic"],
        headers=["memory", "string", "verilated.h", "verilated_threads.h"],
        optimise=OPTIMISE,
        waves=waves,
        what="compiling the Verilog with Verilator",
    )


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    core, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    for name, result, arguments in (
        ("core_new", core, [core, u64, u64, ctypes.c_char_p, ctypes.c_char_p, u64, u64, u64]),
        ("core_delete", None, [core]),
        ("core_reset", None, [core, u32]),
        ("core_reset_alone", None, [core, u32, ctypes.c_bool]),
        ("core_plant", None, [core, ctypes.c_int, u32, u32, u64, u64]),
        ("core_clear_faults", None, [core, ctypes.c_int]),
        ("core_fault_acted", u64, [core, ctypes.c_int, u32]),
        ("core_beat_bytes", u32, []),
        ("core_run", u64, [core, u64, ctypes.c_bool]),
        ("core_irq", ctypes.c_bool, [core]),
        ("core_cycle", u64, [core]),
        ("core_port_counters", None, [core, ctypes.c_int, ctypes.POINTER(u64)]),
        ("core_ddr_counters", None, [core, ctypes.POINTER(u64)]),
        ("core_use_ddr", None, [core, u64, u64, ctypes.POINTER(u64)]),
        ("core_seed", None, [core, u64]),
        ("core_configure", None, [core, ctypes.c_int, u32, u32, u64, u64, u32]),
        ("core_write_register", ctypes.c_int, [core, u32, u32]),
        ("core_read_register", ctypes.c_int, [core, u32, ctypes.POINTER(u32)]),
        ("core_watch", None, [core, u64]),
        ("core_activity", u64, [core, ctypes.c_void_p]),
        ("core_take_error", ctypes.c_bool, [core, ctypes.c_char_p, u64]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _threshold(probability: float) -> int:
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability of {probability}")
    return round(probability * (1 << 32))


def _waves_arguments(waves: Waves | None, clock_mhz: float) -> tuple[bytes, int, int, int]:
    """Scope, first cycle, end and half a cycle in ps."""
    if waves is None:
        return b"", 0, 0, 0
    scope = f"TOP.top.{waves.scope}" if waves.scope else ""
    return scope.encode(), waves.first, (1 << 64) - 1 if waves.end is None else waves.end, round(
        PS_PER_HALF_CYCLE / clock_mhz)


class VerilatedCore:
    """One core, out of reset, before a memory of its own.

    ``verilog`` is the text or the file of a module ``top``, ``ports`` its AXI masters (1 to 4) of ``data_width``
    bits. ``memory`` is a size in bytes or a uint8 array to serve; its first byte has the address ``base``.
    ``waves`` says which signals to write to a file, slowly, with times of a clock of ``clock_mhz``.
    Raises ValueError for ports that do not fit, `OptionError` for waves of what is not there, `BuildError` where the
    build fails. Standard error says of a build.
    """

    _core: int | None = None  # what C++ made, until `close`

    def __init__(
        self,
        verilog: str | Path,
        ports: int,
        data_width: int = 128,
        *,
        memory: int | np.ndarray = 1 << 20,
        base: int = 0,
        waves: Waves | None = None,
        clock_mhz: float = 250.0,
    ) -> None:
        if not 1 <= ports <= MAX_PORTS:
            raise ValueError(f"{ports} ports: from 1 to {MAX_PORTS} are served")
        text = verilog.read_text(encoding="utf-8") if isinstance(verilog, Path) else verilog
        if waves is not None:
            check_scope(waves.scope, text)
        self._library = _load(build_core(text, ports, waves=waves is not None))
        if (width := 8 * self._library.core_beat_bytes()) != data_width:
            raise ValueError(f"the core's ports have {width} bits, not {data_width}")
        self.memory = np.zeros(memory, np.uint8) if isinstance(memory, int) else memory
        if self.memory.dtype != np.uint8 or self.memory.ndim != 1 or not self.memory.flags.c_contiguous:
            raise ValueError("the memory must be a contiguous vector of uint8")
        self.ports, self.base = ports, base
        path = None if waves is None else str(waves.path).encode()
        self._core = self._library.core_new(self.memory.ctypes.data, self.memory.size, base, path,
                                            *_waves_arguments(waves, clock_mhz))
        self.configure()

    def __enter__(self) -> "VerilatedCore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the simulation and its trace; nothing else may be called after."""
        if self._core is not None:
            self._library.core_delete(self._core)
            self._core = None

    def __del__(self) -> None:
        self.close()

    def configure(
        self,
        *,
        memory: str | None = None,
        latency: int | None = None,
        write_latency: int | None = None,
        stall_probability: float = 0.0,
        reorder_probability: float = 0.0,
        outstanding: int = 8,
        ddr: DdrParameters = DDR,
        clock_mhz: float = 250.0,
        seed: int = 1,
        port: int | None = None,
    ) -> None:
        """Set how the memory behaves from now on, on one port or, by default, on all.

        ``memory`` is "simple" (the default), where each port answers by itself after ``latency`` cycles from an
        address to its first beat (20) and ``write_latency`` from the last write beat to its response (half of it);
        or "kv260", where the ports share a DDR controller (docs/memory-model.md) with the figures ``ddr`` and the
        core's clock has ``clock_mhz``. Which of them it is holds for all ports. ``stall_probability`` is that of a
        cycle of a channel being a stall (with all ports: the register port's too); ``reorder_probability`` that of a
        burst overtaking older ones of other IDs; ``outstanding`` bursts of each direction are accepted.
        Raises ValueError for what does not fit together.
        """
        self._check_settings(memory, latency, write_latency, outstanding, port)
        latency = 20 if latency is None else latency
        write_latency = latency // 2 if write_latency is None else write_latency
        stall, reorder = _threshold(stall_probability), _threshold(reorder_probability)
        index = -1 if port is None else port
        self._library.core_configure(self._core, index, latency, write_latency, stall, reorder, outstanding)
        self._library.core_seed(self._core, seed)
        if port is None:
            cycle_time = round(SIXTEENTHS * 1e3 / clock_mhz) if memory == "kv260" else 0
            self._library.core_use_ddr(self._core, cycle_time, seed, ddr.to_model())
            self.memory_model = memory or "simple"

    def _check_settings(self, memory: str | None, latency: int | None, write_latency: int | None, outstanding: int,
                        port: int | None) -> None:
        if port is not None and not 0 <= port < self.ports:
            raise ValueError(f"no port {port}")
        if port is not None and memory is not None:
            raise ValueError("one port cannot have a memory of its own")
        if memory is not None and memory not in MODELS:
            raise ValueError(f"memory {memory!r}: there are {', '.join(MODELS)}")
        if memory == "kv260" and (latency, write_latency) != (None, None):
            raise ValueError("the latency of the memory kv260 comes from its DDR controller")
        if outstanding < 1:
            raise ValueError("a port accepts at least one burst")
        if memory == "kv260" and outstanding > MAX_BOARD_OUTSTANDING:
            raise ValueError(f"a port of the memory kv260 accepts at most {MAX_BOARD_OUTSTANDING} bursts")

    def reset(self, cycles: int = 4) -> None:
        """Reset the core; the memory keeps its content, transfers under way are forgotten."""
        self._library.core_reset(self._core, cycles)

    def reset_alone(self, cycles: int = 4, *, half_writes: bool = False) -> None:
        """Reset the core in the midst of what it does, while the memory goes on answering what it was asked.

        half_writes: the memory goes on waiting for the data of writes that were cut; else it forgets those.
        """
        self._library.core_reset_alone(self._core, cycles, not half_writes)

    def plant(self, fault: PortFault) -> None:
        """Let something go wrong, in place of what was planted on the same channel. ValueError for no such port."""
        if not 0 <= fault.port < self.ports:
            raise ValueError(f"no port {fault.port}")
        self._library.core_plant(self._core, fault.port, fault.channel, fault.wrong, fault.after, fault.cycles)

    def acted(self, fault: PortFault) -> int:
        """The cycle in which the fault planted last on its channel first had an effect; 0: none so far."""
        return self._library.core_fault_acted(self._core, fault.port, fault.channel)

    def clear_faults(self) -> None:
        """Let all that was planted end, on every port."""
        for port in range(self.ports):
            self._library.core_clear_faults(self._core, port)

    def write_register(self, offset: int, value: int) -> None:
        """Write 32 bits over AXI4-Lite. Raises CoreError where the core refuses or does not answer."""
        self._check(self._library.core_write_register(self._core, offset, value & 0xFFFFFFFF), "write", offset)

    def read_register(self, offset: int) -> int:
        """Read 32 bits over AXI4-Lite, unsigned. Raises CoreError as `write_register` does."""
        value = ctypes.c_uint32()
        self._check(self._library.core_read_register(self._core, offset, ctypes.byref(value)), "read", offset)
        return value.value

    def _check(self, response: int, access: str, offset: int) -> None:
        if response:
            how = "was not answered" if response == NO_ANSWER else f"was refused with response {response}"
            raise CoreError(f"the {access} of register {offset:#x} {how}")

    def run(self, cycles: int, *, until_irq: bool = False) -> int:
        """Let that many cycles pass, or fewer, until ``irq`` is high; return how many."""
        return self._library.core_run(self._core, cycles, until_irq)

    def run_until_irq(self, max_cycles: int, progress: Callable[[int], None] | None = None) -> int:
        """Run until ``irq`` is high; return the cycles it took, 0 where it is high already.

        ``progress`` is told the cycles so far now and then. Raises CoreError after ``max_cycles``.
        """
        done = 0
        while not self.irq:
            if done >= max_cycles:
                raise CoreError(f"no interrupt within {max_cycles} cycles")
            done += self.run(min(CHUNK, max_cycles - done), until_irq=True)
            if progress:
                progress(done)
        return done

    @property
    def irq(self) -> bool:
        """The level of the interrupt output."""
        return self._library.core_irq(self._core)

    @property
    def cycles(self) -> int:
        """Clock cycles since the beginning, resets included."""
        return self._library.core_cycle(self._core)

    @property
    def bytes_read(self) -> tuple[int, ...]:
        """Bytes that each port has taken, whole beats."""
        beat = self._library.core_beat_bytes()
        return tuple(counters.read_beats * beat for counters in self.port_counters())

    @property
    def bytes_written(self) -> tuple[int, ...]:
        """Bytes that each port has stored, as its strobes say."""
        return tuple(counters.bytes_written for counters in self.port_counters())

    def port_counters(self) -> tuple[PortCounters, ...]:
        """What each port has done since the beginning."""
        return tuple(PortCounters.read(lambda values, port=port: self._library.core_port_counters(
            self._core, port, values)) for port in range(self.ports))

    def dram_counters(self) -> DramCounters:
        """What the DDR memory has done since the beginning: nothing unless it is the memory "kv260"."""
        return DramCounters.read(lambda values: self._library.core_ddr_counters(self._core, values))

    def watch(self, interval: int) -> None:
        """From now on keep records of what the engines do: at each change, and every ``interval`` cycles. Those so far
        are forgotten; 0 ends it. A core that is not the accelerator has none."""
        self._library.core_watch(self._core, interval)

    def activity(self) -> np.ndarray:
        """The records so far, uint64 [records, 2 + 2 ports]: the cycle from which on it holds; a bit an engine at work
        (`Engine`), and bit 6 for a run under way; the bytes that each port has read by then, and written."""
        values = np.empty(self._library.core_activity(self._core, None), np.uint64)
        self._library.core_activity(self._core, values.ctypes.data)
        return values.reshape(-1, 2 + 2 * self.ports)

    def protocol_errors(self) -> list[str]:
        """The AXI rules broken since the last call, at most 100: ``cycle N, m0_axi: what (value)``."""
        errors, text = [], ctypes.create_string_buffer(256)
        while self._library.core_take_error(self._core, text, len(text)):
            errors.append(text.value.decode())
        return errors
