"""Model of everything around the control system: the descriptors' memory and six engines of random speed."""

from __future__ import annotations

from collections import deque

from cocotb import start_soon
from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge

from hw.memory.axi import DATA_BITS
from models.machine.descriptor import DESCRIPTOR_BYTES, SEMAPHORES, Engine, unpack
from sim.testbench import generator

__all__ = ["Engines"]


class Engines:
    """Runs what the control system hands over and checks order and semaphores.

    `programs`: descriptors by address. Each engine takes up to `slowest` cycles for a command; those in `stuck`
    never end theirs. `started` logs the descriptors by engine; `busy` counts each engine's cycles of work. A
    descriptor may only start when each of its wait semaphores has been given more often than taken, with gives
    counted when the design sees `retired`. reset_engines clears everything but the logs.
    """

    def __init__(self, dut: SimHandleBase, *, stall: float, slowest: int) -> None:
        self._dut, self.stall, self.slowest = dut, stall, slowest
        self._random = generator("engines")
        self.programs: dict[int, list[bytes]] = {}
        self.stuck: set[Engine] = set()
        self.started: dict[Engine, list[bytes]] = {engine: [] for engine in Engine}
        self.busy = dict.fromkeys(Engine, 0)
        self.resets = 0  # cycles with reset_engines
        for engine in Engine:
            self._port(f"commands__{engine}__ready").value = 0
            self._port(f"retired__{engine}").value = 0
        dut.descriptor_read__ready.value = 0
        dut.descriptors__valid.value = 0
        self._clear()
        start_soon(self._run())

    def _port(self, name: str):
        return getattr(self._dut, name)

    def _clear(self) -> None:
        self.tokens = [0] * SEMAPHORES
        self._work: dict[Engine, tuple[bytes, int] | None] = dict.fromkeys(Engine)
        self._beats: deque[int] = deque()
        self._ready = dict.fromkeys(Engine, False)
        self._pulsed: set[Engine] = set()
        self._read_ready = self._beat_shown = False

    async def _run(self) -> None:
        edge = RisingEdge(self._dut.clk)
        while True:
            await edge
            if self._dut.rst.value or self._dut.reset_engines.value:
                self.resets += 1
                self._clear()
            else:
                self._serve_descriptors()
                for engine in Engine:
                    self._serve_engine(engine)
            self._drive()

    def _serve_descriptors(self) -> None:
        if self._read_ready and self._dut.descriptor_read__valid.value:
            request = int(self._dut.descriptor_read__payload.value)
            address, size = request & (1 << 40) - 1, request >> 40
            data = b"".join(self.programs[address])[:size]
            assert len(data) == size, f"{size} bytes asked for, program of {len(data)}"
            step = DATA_BITS // 8
            self._beats.extend(int.from_bytes(data[i:i + step], "little") for i in range(0, size, step))
        if self._beat_shown and self._dut.descriptors__ready.value:
            self._beats.popleft()

    def _serve_engine(self, engine: Engine) -> None:
        if engine in self._pulsed:  # the design sees the pulse at this edge
            descriptor, _ = self._work[engine]
            self._work[engine] = None
            self._move_tokens(unpack(descriptor).signal, 1)
        elif self._work[engine] is not None:
            descriptor, left = self._work[engine]
            self._work[engine] = descriptor, left - (engine not in self.stuck)
        elif self._ready[engine] and self._port(f"commands__{engine}__valid").value:
            payload = int(self._port(f"commands__{engine}__payload").value)
            descriptor = payload.to_bytes(DESCRIPTOR_BYTES, "little")
            fields = unpack(descriptor)
            assert fields.engine == engine
            self._move_tokens(fields.wait, -1)
            self.started[engine].append(descriptor)
            self._work[engine] = descriptor, self._random.randint(1, self.slowest)
            return
        if self._work[engine] is not None or engine in self._pulsed:
            self.busy[engine] += 1

    def _move_tokens(self, mask: int, step: int) -> None:
        for i in range(SEMAPHORES):
            if mask >> i & 1:
                self.tokens[i] += step
                assert self.tokens[i] >= 0, f"semaphore {i} taken before it was given"

    def _drive(self) -> None:
        self._pulsed = {e for e, work in self._work.items() if work is not None and work[1] == 0}
        for engine in Engine:
            self._port(f"retired__{engine}").value = engine in self._pulsed
            self._ready[engine] = self._work[engine] is None and self._random.random() >= self.stall
            self._port(f"commands__{engine}__ready").value = self._ready[engine]
        self._read_ready = self._random.random() >= self.stall
        self._dut.descriptor_read__ready.value = self._read_ready
        self._beat_shown = bool(self._beats) and (self._random.random() >= self.stall)
        self._dut.descriptors__valid.value = self._beat_shown
        if self._beat_shown:
            self._dut.descriptors__payload.value = self._beats[0]
