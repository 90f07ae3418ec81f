"""Stripe walk: the bursts of parts, in order, within the room of the buffer, every other cycle."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from hw.memory.shapes import BURST, BURST_BYTES
from hw.memory.stripe_walk import STRIPE_BURSTS, STRIPE_PART
from models.machine.build import BURST_BEATS
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


async def _buffer(dut, sink, bursts: list[dict], depth: int, slow: float) -> None:
    """Takes its beats out at random; no burst comes that it has no room for."""
    random, held = generator(f"buffer {slow}"), 0
    while True:
        await RisingEdge(dut.clk)
        if dut.rst.value:
            continue
        held -= int(dut.taken.value)
        for burst in sink.receive_nowait():
            bursts.append(burst)
            held += burst["length"] + 1
            assert held <= depth, f"{held} beats for {depth}"
        dut.taken.value = held > 0 and random.random() >= slow


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5], slow=[0.0, 0.5])
async def parts_in_turn(dut, stall, slow):
    given = parameters()
    parts = StreamSource(dut, "i", STRIPE_PART, stall=stall)
    sink, bursts = StreamSink(dut, "burst", BURST, stall=stall), []
    dut.taken.value = 0
    cocotb.start_soon(_buffer(dut, sink, bursts, given["depth"], slow))
    await start(dut)
    await RisingEdge(dut.clk)
    assert dut.idle.value
    starts = []
    for part in given["parts"]:
        starts += [part["start"] + given["ports"] * STRIPE_BURSTS * group + n
                   for group in range(part["groups"]) for n in range(STRIPE_BURSTS)]
        starts += [(part["tail"] if part["groups"] else part["start"]) + n for n in range(part["rest"])]
    parts.send_nowait(*given["parts"])
    await parts.drain()
    waited = 0
    while not dut.idle.value:
        await RisingEdge(dut.clk)
        waited += 1
        assert waited < 20_000, f"{len(bursts)} bursts of {len(starts)}, then none"
    for _ in range(4):
        await RisingEdge(dut.clk)
    expected = [{"address": burst * BURST_BYTES, "length": BURST_BEATS - 1} for burst in starts]
    for n, (got, wanted) in enumerate(zip(bursts, expected, strict=False)):
        assert got == wanted, f"burst {n} is {got}, not {wanted}"
    assert len(bursts) == len(expected)
    if not stall and not slow:
        at = sink.cycles[:STRIPE_BURSTS]
        beats = given["depth"] // BURST_BEATS  # that go at once: then the beats' own pace counts
        assert at[beats - 1] - at[0] == 2 * (beats - 1)
