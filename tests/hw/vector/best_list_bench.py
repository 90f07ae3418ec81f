"""Best lists against sorting in Python: rows by turns, lists gone on with, the score of the last entry."""

from __future__ import annotations

import cocotb
from amaranth.lib import data
from cocotb.triggers import RisingEdge

from hw.memory.shapes import LIST_PLACE
from hw.vector.best_list import ENTRY, SCORE_BITS
from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def lists_in_turn(dut, stall):
    """smallest: of the list as it stands once an entry is taken; no score is below it while entries are missing."""
    opens = StreamSource(dut, "open", data.StructLayout({"row": 8, "begin": 1}), stall=stall)
    offers, places = StreamSource(dut, "i", ENTRY, stall=stall), StreamSource(dut, "read", LIST_PLACE, stall=stall)
    ids = StreamSink(dut, "o", stall=stall)
    await start(dut)
    lists: dict[int, list] = {}
    for n, visit in enumerate(parameters()["visits"]):
        row, k = visit["row"], visit["k"]
        dut.k.value = k
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        await opens.send([{"row": row, "begin": visit["begin"]}])
        entries = lists[row] = [] if visit["begin"] else lists[row]
        for id, score in ((None, 0), *visit["offers"]):
            if id is not None:
                await offers.send([{"id": id, "score": score}])
                entries.append((-score, id))
                entries.sort(key=lambda entry: entry[0])  # stable: among equals in the order of their offers
                del entries[k:]
            await RisingEdge(dut.clk)
            await RisingEdge(dut.clk)
            smallest = int(dut.smallest.value)
            smallest -= (smallest >> SCORE_BITS - 1) << SCORE_BITS
            expected = -entries[-1][0] if len(entries) == k else -(1 << SCORE_BITS - 1)
            assert smallest == expected, f"visit {n}: the last score is {smallest}, not {expected}"
        for other, kept in lists.items():
            places.send_nowait(*({"row": other, "index": index} for index in range(len(kept))))
            got = await ids.receive(len(kept)) if kept else []
            assert got == [id for _, id in kept], f"visit {n}: row {other} is {got}"
    assert not ids.receive_nowait()
