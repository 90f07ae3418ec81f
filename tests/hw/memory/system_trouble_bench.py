"""The whole memory system in trouble: stops, resets, limits, errors and ports that do not answer."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from hw.memory.shapes import MEMORY_FAULT
from hw.stream.reset_tree import RESET_LATENCY
from models.machine.build import BURST_BEATS
from models.machine.descriptor import LoadTarget, Opcode, pack
from models.machine.registers import Client
from sim.packing import Packing
from sim.streams import StreamSource
from sim.testbench import parameters
from tests.hw.memory.whole_system import ANYWHERE, OUTPUTS, Bench, begin, run_everything

FAULT = Packing.of(MEMORY_FAULT)


@cocotb.test()
async def error_responses_are_counted(dut):
    bench = Bench(dut, stall=0.2, latency=(2, 9))
    await begin(dut)
    bench.contents.refused |= {0x1000, 0x1010, 0x10000, 0x2000}
    bench.source("fetch_command").send_nowait(bench.stream(0x1000, 16)[0])  # two refused beats on port 0
    bench.source("cache_read").send_nowait({"address": 0x10000, "bytes": bench.build.beat_bytes})
    bench.source("vector_write").send_nowait({"address": 0x2000, "data": 1, "strobe": 0xFFFF, "left": 0})
    await bench.sink("weights").receive(16)
    await bench.sink("cache").receive(1)
    while not dut.quiet.value or bench.errors < 4:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 20)
    assert bench.errors == 4


@cocotb.test()
async def stop_and_go_on(dut):
    """A stop amid traffic ends quiet; afterwards everything works as after reset."""
    bench = Bench(dut, stall=0.3, latency=(20, 60))
    await begin(dut)
    for cycles in (40, 55, 83, 170, 300):
        signals = {"fetch_command": bench.stream(0, 1024)[0], "load_command": bench.load(4096, 0)[0],
                   "cache_read": 65536 << 40 | 16, "descriptor_read": 4096 << 40}
        for name, value in signals.items():
            getattr(dut, f"{name}__payload").value = value
            getattr(dut, f"{name}__valid").value = 1
        writes = {"vector_write": 0xFFFF << 168 | 1 << 16, "head_write": 0xFFFF << 168 | 1 << 17}
        for name, value in writes.items():
            getattr(dut, f"{name}__payload").value = value
            getattr(dut, f"{name}__valid").value = 1
        for name in OUTPUTS:
            getattr(dut, f"{name}__ready").value = cycles % 2
        await ClockCycles(dut.clk, cycles)
        assert not dut.quiet.value
        dut.stop.value = 1
        for name in (*signals, *writes):
            getattr(dut, f"{name}__valid").value = 0
        await ClockCycles(dut.clk, 1)
        reads = [len(memory.bursts) for memory in bench.memories]
        while not dut.quiet.value:
            await RisingEdge(dut.clk)
        dut.stop.value = 0
        # At most the address that was on offer when the stop came was still sent.
        assert all(len(memory.bursts) <= count + 1 for memory, count in zip(bench.memories, reads, strict=True))
        await ClockCycles(dut.clk, 30)
        assert dut.quiet.value
        assert not any(getattr(dut, f"{name}__valid").value for name in OUTPUTS)
    await run_everything(bench, 4)


async def stopped(dut) -> None:
    """Stop until the system is quiet, and let it go."""
    dut.stop.value = 1
    await ClockCycles(dut.clk, 3 + RESET_LATENCY)
    while not dut.quiet.value:
        await RisingEdge(dut.clk)
    dut.stop.value = 0
    await ClockCycles(dut.clk, RESET_LATENCY)


@cocotb.test()
async def a_burst_outside_names_its_client(dut):
    """Of every client, at both limits: it is refused on the port where it comes first, and nothing leaves it."""
    bench = Bench(dut, stall=0.0, latency=(2, 20))
    await begin(dut)
    await stopped(dut)
    wide = bench.build.stream_align
    first, end = 0x77_0000_0000, 0x77_0000_0000 + 4 * wide
    dut.base.value, dut.limit.value = first >> 8, end >> 8
    sinks = [bench.sink(name) for name in ("weights", "o_load", "cache", "descriptors")]
    stream = dict(beats=2 * BURST_BEATS, padding=0, head=0, listed=0, row=0, row_beats=0)
    load = dict(target=LoadTarget.GAIN, address_stride=0, bytes=64, offset=0, sequence=0, row=0)
    # of each: the last place inside, the first one outside, and what asks for it
    places = (
        (Client.STREAM, "fetch_command", end - 2 * wide, end - wide,
         lambda a: int.from_bytes(pack(Opcode.STREAM, address=a, **stream), "little")),
        (Client.LOAD, "load_command", end - 64, end - 32,
         lambda a: int.from_bytes(pack(Opcode.LOAD, address=a, **load), "little")),
        (Client.CACHE, "cache_read", end - wide, end, lambda a: {"address": a, "bytes": wide}),
        (Client.PROGRAM, "descriptor_read", end - 64, end - 64 + 16, lambda a: {"address": a, "bytes": 64}),
        (Client.VECTOR, "vector_write", end - 16, end, lambda a: {"address": a, "data": 1, "strobe": 1, "left": 0}),
        (Client.HEAD, "head_write", first, first - 16, lambda a: {"address": a, "data": 1, "strobe": 1, "left": 0}))
    for client, name, inside, outside, asks in places:
        source = bench.source(name)
        source.send_nowait(asks(inside))
        await ClockCycles(dut.clk, 120)
        assert not dut.faulty.value and dut.quiet.value, client
        before = [len(memory.bursts) + len(memory.write_bursts) for memory in bench.memories]
        assert sum(before), client
        source.send_nowait(asks(outside))
        for _ in range(60):
            await RisingEdge(dut.clk)
            if dut.faulty.value:
                break
        fault = FAULT.unpack(int(dut.fault.value))
        assert fault["client"] == client and fault["write"] == (client >= Client.VECTOR) and fault["response"] == 0
        assert fault["address"] >= end or fault["address"] < first
        await ClockCycles(dut.clk, 60)
        # a write is not taken before it is sent
        assert dut.faulty.value and dut.quiet.value == (client >= Client.VECTOR)
        source.stop()
        await stopped(dut)
        assert not dut.faulty.value
        for memory in bench.memories:
            asked = [*memory.bursts, *memory.write_bursts]
            assert all(first <= address and address + 16 * beats <= end for _, address, beats in asked)
    for sink in sinks:
        sink.stop()
    dut.base.value, dut.limit.value = 0, ANYWHERE
    await run_everything(bench, 4)


@cocotb.test()
async def error_responses_name_their_port(dut):
    """Of reads on every port and of writes, SLVERR and DECERR."""
    bench = Bench(dut, stall=0.1, latency=(2, 20))
    await begin(dut)
    await stopped(dut)
    sinks = [bench.sink(name) for name in ("weights", "cache")]
    fetch, cache, write = (bench.source(name) for name in ("fetch_command", "cache_read", "head_write"))
    for port in range(bench.build.ports):
        for client, response in ((Client.STREAM, 2), (Client.CACHE, 3)):
            contents = bench.contents.refused if response == 2 else bench.contents.undecoded
            contents.add(0x40000 + 256 * port)
            if client == Client.STREAM:
                fetch.send_nowait(bench.stream(0x40000, 16)[0])
            else:
                cache.send_nowait({"address": 0x40000, "bytes": bench.build.beat_bytes})
            while not dut.faulty.value:
                await RisingEdge(dut.clk)
            assert FAULT.unpack(int(dut.fault.value)) | {"address": 0} == {
                "client": client, "port": port, "write": 0, "response": response, "address": 0}
            await ClockCycles(dut.clk, 80)
            assert dut.quiet.value
            contents.clear()
    bench.contents.undecoded.add(0x100)
    write.send_nowait({"address": 0x100, "data": 1, "strobe": 1, "left": 0})
    while not dut.faulty.value:
        await RisingEdge(dut.clk)
    assert FAULT.unpack(int(dut.fault.value)) | {"address": 0} == {
        "client": Client.HEAD, "port": 0, "write": 1, "response": 3, "address": 0}
    for end in (*sinks, fetch, cache, write):
        end.stop()


def read_everywhere(bench: Bench) -> list[StreamSource]:
    """Every client that reads, at once, for long."""
    sources = {name: bench.source(name) for name in ("fetch_command", "cache_read", "descriptor_read", "load_command")}
    sources["fetch_command"].send_nowait(bench.stream(0, 1024)[0])
    sources["cache_read"].send_nowait({"address": 1 << 20, "bytes": 1 << 14})
    sources["descriptor_read"].send_nowait({"address": 1 << 21, "bytes": 1 << 12})
    sources["load_command"].send_nowait(bench.load(1 << 22, 0)[0])
    return list(sources.values())


@cocotb.test()
async def resets_amid_bursts(dut):
    """The memories answer what a reset forgot: nothing of it comes out, and it is not quiet before."""
    bench = Bench(dut, stall=0.2, latency=(20, 60))
    await begin(dut)
    await stopped(dut)
    for cycles in (20, 33, 61, 150):
        sources = read_everywhere(bench)
        sinks = [bench.sink(name) for name in OUTPUTS]
        await ClockCycles(dut.clk, cycles)
        dut.rst.value = 1
        for end in (*sources, *sinks):
            end.stop()
        await ClockCycles(dut.clk, 2 + RESET_LATENCY)
        dut.rst.value, dut.stop.value = 0, 1
        assert all(memory.left for memory in bench.memories)
        bench.contents.refused |= set(range(0, 1 << 16, 16))
        await RisingEdge(dut.clk)
        errors, still = bench.errors, 0
        while not dut.quiet.value:
            await RisingEdge(dut.clk)
            assert not dut.faulty.value
            still = 0 if any(memory.left for memory in bench.memories) else still + 1
        assert still >= parameters()["drain"] - 60 and bench.errors == errors
        bench.contents.refused.clear()
        dut.stop.value = 0
        await ClockCycles(dut.clk, 5)
        assert dut.quiet.value
    await run_everything(bench, 4)


@cocotb.test()
async def a_port_that_does_not_answer(dut):
    """It keeps the system from being quiet, for ever where nothing helps it; then all is well."""
    bench = Bench(dut, stall=0.1, latency=(20, 60))
    await begin(dut)
    await stopped(dut)
    for memory in bench.memories:
        sources = read_everywhere(bench)
        sinks = [bench.sink(name) for name in OUTPUTS]
        await ClockCycles(dut.clk, 50)
        memory.dead = True
        await ClockCycles(dut.clk, 300)
        dut.stop.value = 1
        for end in (*sources, *sinks):
            end.stop()
        await ClockCycles(dut.clk, 1000)
        assert not dut.quiet.value
        memory.dead = False
        await stopped(dut)
        await ClockCycles(dut.clk, 5)
        assert dut.quiet.value
    await run_everything(bench, 4)
