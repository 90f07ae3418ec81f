"""A component with equal streams ``i`` and ``o`` passes everything on, in order.

Parameters: ``layout``, the name of a layout in `LAYOUTS`; ``values``, what to send; ``stall_in`` and ``stall_out``,
probabilities; ``patience`` in cycles; ``fault``, what to set the component's input of that name to.
"""

import cocotb
from amaranth.hdl import signed
from amaranth.lib import data

from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start

LAYOUTS = {
    "byte": 8,
    "element": data.StructLayout(
        {"row": 3, "value": signed(9), "lanes": data.ArrayLayout(signed(4), 3), "last": 1},
    ),
}


@cocotb.test()
async def copies_in_order(dut):
    given = parameters()
    options = {"layout": LAYOUTS[given["layout"]], "patience": given["patience"]}
    source = StreamSource(dut, "i", **options, stall=given["stall_in"])
    sink = StreamSink(dut, "o", **options, stall=given["stall_out"])
    dut.fault.value = given["fault"]
    await start(dut)
    values = given["values"]
    source.send_nowait(*values)
    assert await sink.receive(len(values)) == values
    await source.drain()
    assert sink.receive_nowait() == []
    if not given["stall_in"] and not given["stall_out"]:
        assert sink.cycles[-1] - sink.cycles[0] == len(values) - 1, "less than one transfer a cycle"
