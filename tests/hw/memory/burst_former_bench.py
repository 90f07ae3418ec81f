"""Burst former: beats leave in order, each with what is left of its burst; none is lost within its room."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from hw.memory.burst_former import OPEN_BEAT
from hw.memory.shapes import WRITE_BEAT
from sim.packing import Packing
from sim.streams import StreamSink
from sim.testbench import generator, parameters, start

LATE = 5  # beats that a user still gives after `room` fell: six find room, one of them when it fell


@cocotb.test()
@cocotb.parametrize(gap=[0.0, 0.5], stall=[0.0, 0.6, 0.95])
async def bursts_in_order(dut, gap, stall):
    random, packing = generator(f"{gap} {stall}"), Packing.of(OPEN_BEAT)
    sink = StreamSink(dut, "o", WRITE_BEAT, stall=stall)
    dut.i__beat__valid.value = 0
    await start(dut)
    beats, expected = [], []
    for length in parameters()["lengths"]:
        address = 16 * random.getrandbits(36) & ~255 | 16 * random.randint(0, 16 - length)
        for n in range(length):
            content = {"data": random.getrandbits(128), "strobe": random.getrandbits(16)}
            # of a burst only the first beat's address counts
            beats.append(content | {"address": address if n == 0 else random.getrandbits(40), "last": n == length - 1})
            expected.append(content | {"address": address if n == 0 else None, "left": length - 1 - n})
    given, late = 0, LATE
    while given < len(beats):
        late = LATE if dut.i__room.value else late - 1
        gives = late >= 0 and random.random() >= gap
        dut.i__beat__valid.value = gives
        dut.i__beat__payload.value = packing.pack(beats[given] if gives else {
            "address": 0, "data": 0, "strobe": 0, "last": random.getrandbits(1)})
        await RisingEdge(dut.clk)
        given += gives
    dut.i__beat__valid.value = 0
    for n, wanted in enumerate(expected):
        got = await sink.receive()
        different = {name for name, value in wanted.items() if value is not None and got[name] != value}
        assert not different, f"beat {n}: {got}, not {wanted}"
    for _ in range(8):
        await RisingEdge(dut.clk)
    assert dut.i__idle.value and dut.i__room.value and not sink.receive_nowait()
    if not gap and not stall:  # a beat a cycle, but for what the first burst waits for
        assert sink.cycles[-1] - sink.cycles[0] <= len(beats) + 16
