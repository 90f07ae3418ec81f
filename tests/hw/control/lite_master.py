"""An AXI4-Lite master for benches: address and data in any order, late readiness, and a check of the slave."""

from __future__ import annotations

from cocotb import start_soon
from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge

from hw.memory.axi import Response
from models.machine.registers import register
from sim.testbench import generator

__all__ = ["LiteMaster"]

PATIENCE = 200


class LiteMaster:
    """Reads and writes one word at a time at the slave port `bus`. `stall`: probability of a cycle's delay.

    Every access is answered with OKAY within 200 cycles; answers hold until they are taken. Otherwise
    AssertionError.
    """

    def __init__(self, dut: SimHandleBase, *, stall: float = 0.0) -> None:
        self._dut, self.stall, self._edge = dut, stall, RisingEdge(dut.clk)
        self._random = generator("bus")
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
            self._port(name).value = 0
        for name in ("awaddr", "wdata", "wstrb", "araddr"):
            self._port(name).value = 0

    def _port(self, name: str):
        return getattr(self._dut, f"bus__{name}")

    async def _pause(self) -> None:
        while self._random.random() < self.stall:
            await self._edge

    async def _send(self, valid: str, ready: str, **payload: int) -> None:
        await self._pause()
        for name, value in payload.items():
            self._port(name).value = value
        self._port(valid).value = 1
        for _ in range(PATIENCE):
            await self._edge
            if self._port(ready).value:
                self._port(valid).value = 0
                return
        raise AssertionError(f"{ready} stays low")

    async def _receive(self, valid: str, ready: str, *names: str) -> tuple[int, ...]:
        """The answer's signals. `ready` may come before or after `valid`."""
        held = None
        for _ in range(PATIENCE):
            taking = self._random.random() >= self.stall
            self._port(ready).value = taking
            await self._edge
            now = tuple(int(self._port(name).value) for name in names) if self._port(valid).value else None
            assert held is None or now == held, f"{valid}: {held} became {now} before its transfer"
            held = now
            if taking and now is not None:
                self._port(ready).value = 0
                return now
        raise AssertionError(f"{valid} stays low")

    async def write_offset(self, offset: int, value: int, strobes: int = 15) -> None:
        """Write the bytes that `strobes` select."""
        parts = [start_soon(self._send("awvalid", "awready", awaddr=offset)),
                 start_soon(self._send("wvalid", "wready", wdata=value, wstrb=strobes))]
        for part in parts:
            await part
        assert await self._receive("bvalid", "bready", "bresp") == (Response.OKAY,)

    async def read_offset(self, offset: int) -> int:
        """The word at `offset`."""
        await self._send("arvalid", "arready", araddr=offset)
        response, data = await self._receive("rvalid", "rready", "rresp", "rdata")
        assert response == Response.OKAY
        return data

    async def write(self, name: str, value: int) -> None:
        """Write a register by name."""
        await self.write_offset(register(name).offset, value)

    async def read(self, name: str) -> int:
        """Read a register by name."""
        return await self.read_offset(register(name).offset)
