"""Queue: order, rate, latency, capacity and level."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
@cocotb.parametrize(fill=[0.0, 0.6], drain=[0.0, 0.6])
async def transfers_in_order(dut, fill, drain):
    random = generator("transfers")
    source, sink = StreamSource(dut, "i", stall=fill), StreamSink(dut, "o", stall=drain)
    await start(dut)
    transfers = [random.getrandbits(9) for _ in range(200)]
    source.send_nowait(*transfers)
    assert await sink.receive(len(transfers)) == transfers
    if fill == drain == 0:
        assert sink.cycles[-1] - sink.cycles[0] <= parameters()["rate"] * (len(transfers) - 1)


@cocotb.test()
async def latency_and_capacity(dut):
    """Nothing is taken: the first transfer is on offer after `latency` cycles, the queue is full with `depth`."""
    depth, latency = parameters()["depth"], parameters()["latency"]
    dut.i__valid.value, dut.o__ready.value = 0, 0
    await start(dut)
    dut.i__payload.value, dut.i__valid.value = 5, 1
    await RisingEdge(dut.clk)  # the design sees valid from here on
    for cycle in range(1, depth + 8):
        await RisingEdge(dut.clk)
        assert bool(dut.o__valid.value) == (cycle >= latency)
        assert bool(dut.i__ready.value) == (cycle < depth)
    assert int(dut.level.value) == depth and int(dut.o__payload.value) == 5
