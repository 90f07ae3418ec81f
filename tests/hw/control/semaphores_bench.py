"""Semaphores against counters: all or nothing, one take and one give at a time, never below 0 or above 15."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from models.machine.descriptor import SEMAPHORES
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start


class Counters:
    """What the counters must hold, from the transfers at the ports."""

    def __init__(self, dut) -> None:
        self._dut, self.counts = dut, [0] * SEMAPHORES
        self.most = 0
        start_soon(self._watch())

    def _accepted(self, kind: str) -> list[int]:
        ports = [f"{kind}__{engine}" for engine in range(parameters()["engines"])]
        masks = [int(getattr(self._dut, f"{port}__payload").value) for port in ports
                 if getattr(self._dut, f"{port}__valid").value and getattr(self._dut, f"{port}__ready").value]
        assert len(masks) <= 1
        return masks

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self._dut.clk)
            if self._dut.rst.value:
                continue
            takes, gives = self._accepted("take"), self._accepted("give")
            for mask in takes:
                assert all(self.counts[i] for i in range(SEMAPHORES) if mask >> i & 1)
            for mask in gives:
                assert all(self.counts[i] < 15 for i in range(SEMAPHORES) if mask >> i & 1)
            for step, masks in ((-1, takes), (1, gives)):
                for i in range(SEMAPHORES):
                    self.counts[i] += step * sum(mask >> i & 1 for mask in masks)
            self.most = max(self.most, *self.counts)


@cocotb.test()
@cocotb.parametrize(giving=[0.0, 0.9], taking=[0.0, 0.9])
async def tokens_are_neither_lost_nor_made(dut, giving, taking):
    """Every engine gives and takes each semaphore equally often; what is given is all taken in the end."""
    random, engines = generator("masks"), parameters()["engines"]
    counters = Counters(dut)
    takes = [StreamSource(dut, f"take__{e}", stall=taking) for e in range(engines)]
    gives = [StreamSource(dut, f"give__{e}", stall=giving) for e in range(engines)]
    await start(dut)
    for take, give in zip(takes, gives, strict=True):
        # Engine by engine the same masks, so that any order of the engines works out.
        masks = [1 << random.randrange(SEMAPHORES) for _ in range(120)]
        give.send_nowait(*masks)
        take.send_nowait(*sorted(masks, key=lambda _: random.random()))
    for source in (*gives, *takes):
        await source.drain()
    await ClockCycles(dut.clk, 2)
    assert counters.counts == [0] * SEMAPHORES


@cocotb.test()
async def masks_wait_for_all_of_their_semaphores(dut):
    counters = Counters(dut)
    take, give = StreamSource(dut, "take__1"), StreamSource(dut, "give__2")
    for e in range(parameters()["engines"]):
        for kind, busy in (("take", 1), ("give", 2)):
            if e != busy:
                getattr(dut, f"{kind}__{e}__valid").value = 0
    await start(dut)
    take.send_nowait(0b1011)
    for mask, counts in ((0b0001, [1, 0, 0, 0]), (0b1000, [1, 0, 0, 1]), (0b0110, [0, 0, 1, 0])):
        await ClockCycles(dut.clk, 5)
        give.send_nowait(mask)
        await ClockCycles(dut.clk, 8)
        assert counters.counts[:4] == counts
    give.send_nowait(*[0b10000] * 16, 0b110000)  # the sixteenth waits, and those behind it
    await ClockCycles(dut.clk, 80)
    assert counters.counts[4:6] == [15, 0]
    take.send_nowait(0b10000)
    await ClockCycles(dut.clk, 10)
    assert counters.counts[4:6] == [15, 0]
    take.send_nowait(0b10000, 0b100000)
    await give.drain()
    await take.drain()
    await ClockCycles(dut.clk, 2)
    assert counters.counts[4:6] == [15, 0]
