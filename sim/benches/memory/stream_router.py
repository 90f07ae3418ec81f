"""Stream router: streams of both kinds, with and without padding, one output blocked or none."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles

from hw.memory.stream_router import STREAM_TAG
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
async def beats_go_to_their_engine(dut):
    random, stall = generator("streams"), parameters()["stall"]
    tags = StreamSource(dut, "tags", STREAM_TAG, stall=stall)
    beats = StreamSource(dut, "i", stall=stall)
    sinks = [StreamSink(dut, name, stall=stall) for name in ("o_weights", "o_head")]
    await start(dut)
    expected: list[list[int]] = [[], []]
    for _ in range(40):
        count = 16 * random.randrange(1, 4)
        tag = {"beats": count, "padding": random.choice([0, 0, 1, 7, 15]), "head": random.randrange(2)}
        stream = [random.getrandbits(32) for _ in range(count)]
        expected[tag["head"]] += stream[:count - tag["padding"]]
        tags.send_nowait(tag)
        beats.send_nowait(*stream)
    for sink, wanted in zip(sinks, expected, strict=True):
        assert await sink.receive(len(wanted)) == wanted
    await ClockCycles(dut.clk, 40)
    assert not any(sink.receive_nowait() for sink in sinks)
    if not stall:
        taken = max(sink.cycles[-1] for sink in sinks) - min(sink.cycles[0] for sink in sinks)
        assert taken <= sum(len(wanted) for wanted in expected) + 40 + 40 * 15
