"""What SerialLink's masters meet in benches: registers and memory that answer late, wrongly or not at all.

They wake where something is asked, not in each cycle: a bench of a serial line is long.
"""

from __future__ import annotations

from cocotb import start_soon
from cocotb.handle import SimHandleBase
from cocotb.triggers import ClockCycles, Event, RisingEdge

from hw.memory.axi import INCREMENT, SIZE_16_BYTES, Response
from models.machine.link import BEAT
from sim.testbench import generator

__all__ = ["MemoryBus", "RegisterBus"]


class _Bus:
    """Channels of a slave, each served by a task of its own. latency: most cycles that any step takes, at random.

    `mute`: nothing is accepted. `silent`: accesses are accepted, and answered when `silent` ends.
    AssertionError where VALID falls or its payload changes before READY.
    """

    _PAYLOADS: dict[str, tuple[str, ...]]

    def __init__(self, dut: SimHandleBase, prefix: str, *, latency: int) -> None:
        self._dut, self._prefix, self.latency = dut, prefix, latency
        self.mute, self.silent, self.response = False, False, Response.OKAY
        self._random, self._edge = generator(prefix), RisingEdge(dut.clk)
        for name in ("arready", "rvalid", "awready", "wready", "bvalid"):
            self._port(name).value = 0
        self._tasks = [start_soon(self._reads()), start_soon(self._writes())]

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _port(self, name: str):
        return getattr(self._dut, f"{self._prefix}__{name}")

    async def _accept(self, channel: str) -> tuple[int, ...]:
        """The payload of the channel's next transfer."""
        valid, ready = self._port(f"{channel}valid"), self._port(f"{channel}ready")
        while not valid.value:
            await RisingEdge(valid)
        await self._edge
        payload = self._payload(channel)
        await self._pause()
        while self.mute:
            await ClockCycles(self._dut.clk, 20)
        ready.value = 1
        await self._edge
        ready.value = 0
        assert valid.value and payload == self._payload(channel), f"{self._prefix}: {channel} changed before READY"
        await self._edge
        return payload

    def _payload(self, channel: str) -> tuple[int, ...]:
        return tuple(int(self._port(channel + name).value) for name in self._PAYLOADS[channel])

    async def _pause(self) -> None:
        if cycles := self._random.randint(0, self.latency):
            await ClockCycles(self._dut.clk, cycles)

    async def _answer(self, channel: str, **payload: int) -> None:
        await self._pause()
        while self.silent:
            await ClockCycles(self._dut.clk, 20)
        for name, value in payload.items():
            self._port(name).value = value
        valid, ready = self._port(f"{channel}valid"), self._port(f"{channel}ready")
        valid.value = 1
        await self._edge
        while not ready.value:
            await self._edge
        valid.value = 0

    async def _reads(self) -> None:
        while True:
            await self._read(await self._accept("ar"))

    async def _writes(self) -> None:
        while True:
            data = _Result(self._accept("w"))
            address = await self._accept("aw")
            await self._write(address, await data.wait())


class _Result:
    """Of something that goes on meanwhile."""

    def __init__(self, work) -> None:
        self._there, self._value = Event(), None
        start_soon(self._run(work))

    async def _run(self, work) -> None:
        self._value = await work
        self._there.set()

    async def wait(self):
        await self._there.wait()
        return self._value


class RegisterBus(_Bus):
    """Registers by offset; what is read of one that was never written is its offset. `writes`: all, in order."""

    _PAYLOADS = {"ar": ("addr",), "aw": ("addr",), "w": ("data", "strb")}

    def __init__(self, dut: SimHandleBase, *, latency: int = 0) -> None:
        self.values: dict[int, int] = {}
        self.writes: list[tuple[int, int]] = []
        super().__init__(dut, "registers", latency=latency)

    async def _read(self, address: tuple[int, ...]) -> None:
        await self._answer("r", rdata=self.values.get(address[0], address[0]), rresp=self.response)

    async def _write(self, address: tuple[int, ...], data: tuple[int, ...]) -> None:
        value, strobes = data
        assert strobes == 15
        if self.response == Response.OKAY:
            self.values[address[0]] = value
            self.writes.append((address[0], value))
        await self._answer("b", bresp=self.response)


class MemoryBus(_Bus):
    """`memory`, in which accesses must lie, whole beats; `writes` counts them. refused: addresses that answer SLVERR.
    """

    _PAYLOADS = {"ar": ("id", "addr", "len", "size", "burst"), "aw": ("id", "addr", "len", "size", "burst"),
                 "w": ("data", "strb", "last")}

    def __init__(self, dut: SimHandleBase, memory: bytearray, *, latency: int = 0) -> None:
        self.memory, self.refused, self.writes = memory, set(), 0
        super().__init__(dut, "axi", latency=latency)

    def _check(self, address: tuple[int, ...]) -> int:
        identity, at, length, size, burst = address
        assert (identity, length, size, burst) == (0, 0, SIZE_16_BYTES, INCREMENT)
        assert at % BEAT == 0 and at < len(self.memory)
        return at

    async def _read(self, address: tuple[int, ...]) -> None:
        at = self._check(address)
        await self._answer("r", rid=0, rdata=int.from_bytes(self.memory[at:at + BEAT], "little"), rlast=1,
                           rresp=Response.SLVERR if at in self.refused else self.response)

    async def _write(self, address: tuple[int, ...], data: tuple[int, ...]) -> None:
        at, (value, strobes, last) = self._check(address), data
        assert (strobes, last) == (0xFFFF, 1)
        if at not in self.refused:
            self.memory[at:at + BEAT] = value.to_bytes(BEAT, "little")
            self.writes += 1
        await self._answer("b", bid=0, bresp=Response.SLVERR if at in self.refused else self.response)
