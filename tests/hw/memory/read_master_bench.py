"""Read master: several clients' bursts, answers in any order, fair turns, and the stop."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from hw.memory.shapes import BURST
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start
from tests.hw.memory.axi_memory import AxiMemory, Contents


class Bench:
    """A source of bursts a client; `arrived` collects each client's beats."""

    def __init__(self, dut, *, stall: float, latency: tuple[int, int]) -> None:
        self.dut, self.random, self.contents = dut, generator("bench"), Contents()
        self.clients = range(parameters()["clients"])
        self.memory = AxiMemory(dut, "axi", self.contents, stall=stall, latency=latency,
                                outstanding=parameters()["outstanding"])
        self.sources = [StreamSource(dut, f"bursts__{c}", BURST, stall=stall) for c in self.clients]
        self.arrived: list[list[int]] = [[] for _ in self.clients]
        self.errors = 0
        dut.stop.value = 0
        start_soon(self._collect())

    async def _collect(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            self.errors += int(self.dut.error.value)
            for client, arrived in enumerate(self.arrived):
                if getattr(self.dut, f"beats__{client}__valid").value:
                    arrived.append(int(getattr(self.dut, f"beats__{client}__payload").value))

    def burst(self, length: int) -> tuple[dict[str, int], list[int]]:
        """A burst of `length` beats inside one block, and its beats."""
        address = self.random.randrange(1 << 32) * 256 + 16 * self.random.randrange(17 - length)
        return {"address": address, "length": length - 1}, [self.contents.beat(address + 16 * i) for i in range(length)]

    async def quiet(self) -> None:
        for _ in range(20_000):
            await RisingEdge(self.dut.clk)
            if self.dut.quiet.value:
                return
        raise AssertionError("never quiet")


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4], latency=[(1, 1), (1, 80)])
async def bursts_of_all_clients(dut, stall, latency):
    bench = Bench(dut, stall=stall, latency=latency)
    await start(dut)
    work = [[bench.burst(bench.random.randint(1, 16)) for _ in range(30)] for _ in bench.clients]
    for source, bursts in zip(bench.sources, work, strict=True):
        source.send_nowait(*(burst for burst, _ in bursts))
    for source in bench.sources:
        await source.drain()
    await ClockCycles(dut.clk, 2)
    await bench.quiet()
    for arrived, bursts in zip(bench.arrived, work, strict=True):
        assert arrived == [beat for _, beats in bursts for beat in beats]
    if latency[1] > 1:
        assert bench.memory.read_most == parameters()["outstanding"]


@cocotb.test()
async def turns_are_fair(dut):
    bench = Bench(dut, stall=0.0, latency=(5, 5))
    await start(dut)
    for source in bench.sources:
        source.send_nowait(*(bench.burst(1)[0] for _ in range(40)))
    for source in bench.sources:
        await source.drain()
    await bench.quiet()
    identities = [identity for identity, _, _ in bench.memory.bursts]
    clients = len(bench.clients)
    assert all(sorted(identities[i:i + clients]) == list(bench.clients)
               for i in range(0, len(identities) - clients, clients))


@cocotb.test()
async def stop_lets_no_burst_through(dut):
    bench = Bench(dut, stall=0.2, latency=(10, 60))
    await start(dut)
    bench.contents.refused.add(0)
    bench.sources[0].send_nowait({"address": 0, "length": 1})
    for source in bench.sources:
        source.send_nowait(*(bench.burst(16)[0] for _ in range(20)))
    await ClockCycles(dut.clk, 60)
    dut.stop.value = 1
    await ClockCycles(dut.clk, 3)
    await bench.quiet()
    accepted = [beats for _, _, beats in bench.memory.bursts]
    assert sum(map(len, bench.arrived)) == sum(accepted) < 20 * 16
    await ClockCycles(dut.clk, 50)
    assert dut.quiet.value and len(bench.memory.bursts) == len(accepted)
    assert bench.errors == 1
    dut.stop.value = 0
    for source in bench.sources:
        await source.drain()
    await bench.quiet()
