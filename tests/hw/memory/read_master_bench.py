"""Read master: several clients' bursts, answers in any order, fair turns, limits, errors, the stop and a reset."""

from __future__ import annotations

import cocotb
from cocotb import start_soon
from cocotb.triggers import ClockCycles, RisingEdge

from hw.memory.shapes import BURST, MASTER_FAULT
from sim.packing import Packing
from sim.streams import StreamSource
from sim.testbench import generator, parameters, start
from tests.hw.memory.axi_memory import AxiMemory, Contents

FAULT = Packing.of(MASTER_FAULT)
ANYWHERE = (1 << 32) - 1  # of the limit: all blocks but the last


class Bench:
    """A source of bursts a client; `arrived` collects each client's beats."""

    def __init__(self, dut, *, stall: float, latency: tuple[int, int]) -> None:
        self.dut, self.random, self.contents = dut, generator("bench"), Contents()
        self.clients = range(parameters()["clients"])
        self.memory = AxiMemory(dut, "axi", self.contents, stall=stall, latency=latency,
                                outstanding=parameters()["outstanding"])
        self.stall = stall
        self.sources = self.new_sources()
        self.arrived: list[list[int]] = [[] for _ in self.clients]
        self.errors = 0
        dut.stop.value = 0
        dut.base.value, dut.limit.value = 0, ANYWHERE
        start_soon(self._collect())

    def new_sources(self) -> list[StreamSource]:
        return [StreamSource(self.dut, f"bursts__{c}", BURST, stall=self.stall) for c in self.clients]

    async def _collect(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            self.errors += int(self.dut.error.value)
            for client, arrived in enumerate(self.arrived):
                if getattr(self.dut, f"beats__{client}__valid").value:
                    arrived.append(int(getattr(self.dut, f"beats__{client}__payload").value))

    def burst(self, length: int) -> tuple[dict[str, int], list[int]]:
        """A burst of `length` beats inside one block, and its beats."""
        address = self.random.randrange(ANYWHERE) * 256 + 16 * self.random.randrange(17 - length)
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


@cocotb.test()
async def a_burst_outside_never_leaves(dut):
    """Every place beside the limits, and shapes that no client asks for; what the other clients ask behind it waits."""
    bench = Bench(dut, stall=0.0, latency=(3, 9))
    await start(dut)
    base, limit, top = 0x1234_5678, 0x1234_567A, (1 << 32) - 1
    inside = [(base, limit, base * 256), (base, limit, limit * 256 - 16), (0, 1, 0), (0, top, (top - 1) * 256),
              (top, top, None), (top - 1, top, (top - 1) * 256 + 240)]
    outside = [(base, limit, base * 256 - 16), (base, limit, limit * 256), (base, limit, 0), (base, base, base * 256),
               (base, limit, (1 << 40) - 16), (0, 0, 0), (limit, base, base * 256), (0, top, top * 256),
               (1, top, 0), (base, limit, base * 256 + 8)]
    for low, high, address in inside:
        dut.base.value, dut.limit.value = low, high
        if address is None:
            continue
        seen = len(bench.memory.bursts)
        await bench.sources[1].send([{"address": address, "length": 0}])
        await ClockCycles(dut.clk, 4)
        await bench.quiet()
        assert bench.memory.bursts[seen:] == [(1, address, 1)] and not dut.faulty.value
    wide = [(base, limit, base * 256 + 16 * n, length) for n in range(16) for length in (15 - n, 16 - n) if length < 16]
    for low, high, address, length in [*((*place, 0) for place in outside), *wide]:
        whole = low <= address >> 8 < high and address % 256 + 16 * length < 256 and address % 16 == 0
        dut.base.value, dut.limit.value = low, high
        seen = len(bench.memory.bursts)
        bench.sources[1].send_nowait({"address": address, "length": length})
        await ClockCycles(dut.clk, 30)
        assert dut.faulty.value == (not whole), hex(address)
        assert bench.memory.bursts[seen:] == ([(1, address, length + 1)] if whole else [])
        if whole:
            continue
        assert FAULT.unpack(int(dut.fault.value)) == {"client": 1, "response": 0, "address": address}
        for other in (0, 2):
            bench.sources[other].send_nowait({"address": base * 256, "length": 3})
        await ClockCycles(dut.clk, 30)
        assert len(bench.memory.bursts) == seen and not dut.quiet.value and dut.faulty.value
        dut.stop.value = 1
        dut.base.value, dut.limit.value = base, limit
        await ClockCycles(dut.clk, 3)
        assert dut.quiet.value and not dut.faulty.value
        dut.stop.value = 0
        await bench.quiet()
        await ClockCycles(dut.clk, 4)
        await bench.quiet()
        assert [burst[1] for burst in bench.memory.bursts[seen:]] == [base * 256] * 2


@cocotb.test()
async def bursts_outside_amid_others(dut):
    """Right behind bursts inside, of the same client and of others, at full rate."""
    bench = Bench(dut, stall=0.0, latency=(2, 9))
    await start(dut)
    base, blocks = 0x77_0000, 64
    dut.base.value, dut.limit.value = base, base + blocks
    for _ in range(12):
        for source in bench.sources:
            places = [base + bench.random.randrange(blocks) for _ in range(bench.random.randrange(1, 8))]
            places.append(bench.random.choice([base - 1, base + blocks, 0]))
            source.send_nowait(*({"address": block * 256, "length": 15} for block in places + places[:1]))
        await ClockCycles(dut.clk, 300)
        assert dut.faulty.value
        assert all(base <= address >> 8 < base + blocks for _, address, _ in bench.memory.bursts)
        dut.stop.value = 1
        for source in bench.sources:
            source.stop()
        await ClockCycles(dut.clk, 3)
        assert dut.quiet.value
        dut.stop.value = 0
        bench.sources = bench.new_sources()
    assert len(bench.memory.bursts) > 60


@cocotb.test()
async def responses_are_told_apart(dut):
    bench = Bench(dut, stall=0.0, latency=(3, 9))
    await start(dut)
    bench.contents.refused.add(0x110)
    bench.contents.undecoded.add(0x220)
    seen = start_soon(faults(dut, 2))
    for address, client in ((0x110, 2), (0x220, 0)):
        bench.sources[client].send_nowait({"address": address, "length": 0})
        await ClockCycles(dut.clk, 40)
    assert [(fault["client"], fault["response"]) for fault in await seen] == [(2, 2), (0, 3)]


async def faults(dut, count: int) -> list[dict[str, int]]:
    """What is told while `faulty` is high, in its first cycles."""
    found = []
    while len(found) < count:
        await RisingEdge(dut.clk)
        if dut.faulty.value:
            found.append(FAULT.unpack(int(dut.fault.value)))
    return found


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def answers_from_before_a_reset_are_dropped(dut, stall):
    bench = Bench(dut, stall=stall, latency=(5, 80))
    await start(dut)
    for _ in range(6):
        for source in bench.sources:
            source.send_nowait(*(bench.burst(bench.random.randint(1, 16))[0] for _ in range(12)))
        await ClockCycles(dut.clk, bench.random.randrange(20, 60))
        dut.stop.value = 1  # nothing new meanwhile: what is on offer goes with the reset
        dut.rst.value = 1
        for source in bench.sources:
            source.stop()
        await ClockCycles(dut.clk, 2)
        dut.rst.value = 0
        bench.sources = bench.new_sources()
        before, errors = [len(arrived) for arrived in bench.arrived], bench.errors
        assert bench.memory.left
        while bench.memory.left:
            await RisingEdge(dut.clk)
        await ClockCycles(dut.clk, 3)
        assert dut.quiet.value and not dut.busy.value
        assert [len(arrived) for arrived in bench.arrived] == before and bench.errors == errors
        dut.stop.value = 0
        work = [[bench.burst(bench.random.randint(1, 16)) for _ in range(5)] for _ in bench.clients]
        for source, bursts in zip(bench.sources, work, strict=True):
            source.send_nowait(*(burst for burst, _ in bursts))
        for source in bench.sources:
            await source.drain()
        await ClockCycles(dut.clk, 3)
        await bench.quiet()
        for arrived, bursts, first in zip(bench.arrived, work, before, strict=True):
            assert arrived[first:] == [beat for _, beats in bursts for beat in beats]
