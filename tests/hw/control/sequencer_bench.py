"""Sequencer: each descriptor to its engine's queue, in order, until the program's end or a bad one."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from hw.memory.shapes import READ_REQUEST
from models.machine.descriptor import Engine
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


async def _arrivals(dut, sinks, arrived: list, pushed: list[int], stall: float) -> None:
    """What comes to the queues, with its engine; queues stall by turns, so that one that is full holds up the rest."""
    random, cycle, transfers = generator("queues"), 0, parameters()["transfers"]
    parts: list[tuple[int, int]] = []  # of one descriptor, with their engine
    while True:
        await RisingEdge(dut.clk)
        cycle += 1
        for engine, sink in enumerate(sinks):
            parts += [(engine, part) for part in sink.receive_nowait()]
            if len(parts) == transfers:
                engines, values = zip(*parts, strict=True)
                assert set(engines) == {engine}, "parts of one descriptor at two queues"
                arrived.append((engine, sum(value << 512 // transfers * n for n, value in enumerate(values))))
                pushed.append(cycle)
                parts.clear()
        if stall and cycle % 50 == 0:
            for sink in sinks:
                sink.stall = random.choice([0.0, 0.3, 1.0])


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def programs_in_turn(dut, stall):
    """A program that is refused is followed by a reset."""
    beats = StreamSource(dut, "beats", stall=stall)
    requests = StreamSink(dut, "read", READ_REQUEST, stall=stall)
    sinks = [StreamSink(dut, f"queues__{engine}", stall=stall) for engine in Engine]
    arrived, pushed = [], []
    dut.start.value = 0
    cocotb.start_soon(_arrivals(dut, sinks, arrived, pushed, stall))
    await start(dut)
    assert dut.done.value
    for n, program in enumerate(parameters()["programs"]):
        descriptors, address = program["descriptors"], program["address"]
        count = program.get("count", len(descriptors))
        arrived.clear()
        pushed.clear()
        dut.program.value, dut.count.value = address, count
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = dut.program.value = dut.count.value = 0
        good = program["good"]  # descriptors before the first that is refused
        bad = good < len(descriptors) or not program["asked"] and count > 0
        if program["asked"] and descriptors:
            assert await requests.receive() == {"address": address, "bytes": 64 * count}
            for descriptor in descriptors:
                beats.send_nowait(*(descriptor >> 128 * at & (1 << 128) - 1 for at in range(4)))
        pulses, waited = 0, 0
        await RisingEdge(dut.clk)
        while not (pulses if bad else dut.done.value):
            waited += 1
            assert waited < 4000, f"program {n} does not end"
            pulses += int(dut.bad.value)
            await RisingEdge(dut.clk)
        for _ in range(30):
            pulses += int(dut.bad.value)
            assert bad or dut.done.value
            await RisingEdge(dut.clk)
        assert pulses == bad, f"program {n}: bad pulses {pulses} times"
        wanted = [(descriptor & 15, descriptor) for descriptor in descriptors[:good]]
        assert arrived == wanted, f"program {n}: {len(arrived)} descriptors for {len(wanted)}, or others"
        assert not requests.receive_nowait()
        if not stall and good > 2:
            # six cycles each and those of its transfers, and one where a queue gets its first: it waits for that
            transfers = parameters()["transfers"]
            cycles = 6 + (1 if transfers == 1 else 2 * transfers)
            assert pushed[-1] - pushed[0] <= cycles * (good - 1) + len(Engine)
        if bad:
            assert not dut.done.value
            dut.rst.value = 1
            await RisingEdge(dut.clk)
            await RisingEdge(dut.clk)
            dut.rst.value = 0
            await RisingEdge(dut.clk)
            assert dut.done.value
