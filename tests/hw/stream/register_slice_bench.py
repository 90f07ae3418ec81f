"""Register slice: order, and a transfer a cycle."""

from __future__ import annotations

import cocotb

from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
@cocotb.parametrize(fill=[0.0, 0.5], drain=[0.0, 0.5])
async def transfers_in_order(dut, fill, drain):
    random = generator("transfers")
    source, sink = StreamSource(dut, "i", stall=fill), StreamSink(dut, "o", stall=drain)
    await start(dut)
    transfers = [random.getrandbits(9) for _ in range(parameters()["transfers"])]
    source.send_nowait(*transfers)
    assert await sink.receive(len(transfers)) == transfers
    if fill == drain == 0:
        assert sink.cycles[-1] - sink.cycles[0] == len(transfers) - 1
