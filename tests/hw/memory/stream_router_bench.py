"""Stream router: streams of both kinds, with and without beats to drop before and behind what is used."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles

from hw.memory.stream_router import STREAM_TAG
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, start


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def beats_go_to_their_engine(dut, stall):
    random = generator("streams")
    tags = StreamSource(dut, "tags", STREAM_TAG, stall=stall)
    beats = StreamSource(dut, "i", stall=stall)
    sinks = [StreamSink(dut, name, stall=stall) for name in ("o_weights", "o_head")]
    await start(dut)
    expected: list[list[int]] = [[], []]
    for _ in range(40):
        count = 16 * random.randrange(1, 4)
        padding, head = random.choice([0, 0, 1, 7, 15]), random.randrange(2)
        skip = random.choice([0, 0, 1, 15, min(count - padding - 1, 15)]) if padding + 16 <= count else 0
        tag = {"skip": skip, "used": count - skip - padding, "padding": padding, "head": head}
        stream = [random.getrandbits(32) for _ in range(count)]
        expected[head] += stream[skip:count - padding]
        tags.send_nowait(tag)
        beats.send_nowait(*stream)
    for sink, wanted in zip(sinks, expected, strict=True):
        assert await sink.receive(len(wanted)) == wanted
    await ClockCycles(dut.clk, 40)
    assert not any(sink.receive_nowait() for sink in sinks)
    if not stall:
        taken = max(sink.cycles[-1] for sink in sinks) - min(sink.cycles[0] for sink in sinks)
        assert taken <= sum(len(wanted) for wanted in expected) + 40 + 40 * 30
