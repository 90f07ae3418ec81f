"""ReadRequests: addresses, sizes and order of a command's reads."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from hw.attention.read_requests import READ_REQUEST
from sim.streams import StreamSink
from sim.testbench import parameters, start

SOURCES = ("key_scales", "value_scales", "keys", "values")


@cocotb.test()
async def reads_in_order(dut):
    """Each command of the parameters, then the unit is idle again."""
    given = parameters()
    sink = StreamSink(dut, "o", READ_REQUEST, stall=given["stall"])
    dut.start.value = 0
    for name in given["commands"][0]:
        getattr(dut, name).value = 0
    await start(dut)
    for command in given["commands"]:
        for name, value in command.items():
            getattr(dut, name).value = value
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        for row in range(command["rows"]):
            for head in range(command["kv_heads"]):
                for name in SOURCES:
                    tokens = command["tokens"] + row
                    size = tokens * (4 if name.endswith("scales") else command["row_bytes"])
                    assert await sink.receive() == {
                        "address": command[name] + head * command["head_bytes"], "bytes": size}, (row, head, name)
        for _ in range(10):
            await RisingEdge(dut.clk)
        assert not dut.busy.value and sink.receive_nowait() == []
