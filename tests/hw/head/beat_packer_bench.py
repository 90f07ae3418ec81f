"""Beat packer: what its beats leave in memory is the arrays, in as few beats as possible."""

from __future__ import annotations

import cocotb
from amaranth.lib import data
from cocotb.triggers import RisingEdge

from hw.memory.shapes import WRITE_BEAT
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def arrays_in_memory(dut, stall):
    given, random = parameters(), generator("items")
    item_bits = given["item_bits"]
    item_bytes, beat_items = item_bits // 8, 128 // item_bits
    layout = data.StructLayout({"row": 8, "index": 24, "item": item_bits})
    source = StreamSource(dut, "i", layout, stall=stall)
    sink = StreamSink(dut, "o", WRITE_BEAT, stall=stall)
    dut.start.value = 0
    await start(dut)
    for n, case in enumerate(given["cases"]):
        assert dut.idle.value
        dut.base.value, dut.stride.value, dut.length.value = case["base"], case["stride"], case["length"]
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        for port in (dut.base, dut.stride, dut.length):  # taken with the start
            port.value = random.getrandbits(len(port))
        rows, length = range(case["rows"]), range(case["length"])
        by_items = [(row, index) for index in length for row in rows]
        places = by_items if case["by_items"] else sorted(by_items)
        items = {place: random.getrandbits(item_bits) for place in places}
        await source.send({"row": row, "index": index, "item": items[row, index]} for row, index in places)
        for _ in range(3 if not stall else 200):
            await RisingEdge(dut.clk)
        assert dut.idle.value, f"case {n} is not through"
        memory, beats = {}, sink.receive_nowait()
        for beat in beats:
            assert beat["address"] % 16 == 0 and beat["left"] == 0 and beat["strobe"]
            for byte in range(16):
                if beat["strobe"] >> byte & 1:
                    assert beat["address"] + byte not in memory, f"case {n} writes a byte twice"
                    memory[beat["address"] + byte] = beat["data"] >> 8 * byte & 255
        expected = {case["base"] + row * case["stride"] + index * item_bytes + byte: item >> 8 * byte & 255
                    for (row, index), item in items.items() for byte in range(item_bytes)}
        assert memory == expected, f"case {n}"
        assert len(beats) == len(rows) * -(-len(length) // beat_items), f"case {n}: {len(beats)} beats"
