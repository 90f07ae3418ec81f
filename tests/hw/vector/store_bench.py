"""Store: rows one after another, as `RowControl` asks for them, and the writes that must come out."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start

_QUIET_CYCLES = 60
_AHEAD = 2
_AROUND = 25  # cycles of a row beside its words


async def _answer(dut, request: str, answer: str, rows: list[dict], given: dict, asked: list[int]) -> None:
    """The words of the rows that have a request on this port, their exponent a little earlier."""
    requests = StreamSink(dut, request, stall=given["stall"], patience=1 << 20)
    words = StreamSource(dut, answer, stall=given["stall"])
    for row in rows:
        asked.append(await requests.receive())
        dut.exponent.value = row["exponent"]
        await ClockCycles(dut.clk, _AHEAD)
        words.send_nowait(*row["words"])


RUNS = parameters()


@cocotb.test()
@cocotb.parametrize(run=list(RUNS))
async def rows_are_written(dut, run):
    """`settings` hold still from the cycle before a row's start to its end and are noise between them."""
    given, random = RUNS[run], generator("store")
    loads, writes = StreamSource(dut, "i_load"), StreamSink(dut, "o_write", stall=given["write_stall"])
    dut.start.value, asked, beats = 0, {"o_attention": [], "o_sums": []}, 0
    for request, answer in (("o_attention", "i_attention"), ("o_sums", "i_sums")):
        rows = [row for row in given["rows"] if row["port"] == request]
        cocotb.start_soon(_answer(dut, request, answer, rows, given, asked[request]))
    await start(dut)
    await loads.send(given["i_load"])
    await ClockCycles(dut.clk, 4)
    for row in given["rows"]:
        dut.settings.value = row["settings"]
        await RisingEdge(dut.clk)
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value, cycles = 0, 0
        while not dut.done.value:
            await RisingEdge(dut.clk)
            cycles += 1
        assert cycles <= row["transfers"] + _AROUND or given["stall"] or given["write_stall"], f"{cycles} cycles"
        dut.settings.value = random.getrandbits(len(dut.settings))
        dut.exponent.value = random.getrandbits(10)
        await ClockCycles(dut.clk, 1)
        beats += row["beats"]
        assert len(writes.cycles) == beats, "done before its beats were taken"
    found = writes.receive_nowait()
    for n, (got, expected, mask) in enumerate(zip(found, given["o_write"], given["care"], strict=False)):
        assert got & mask == expected & mask, f"o_write[{n}] is {got:#x}, not {expected:#x}"
    assert len(found) == len(given["o_write"])
    for request, of_port in asked.items():
        assert of_port == [row["request"] for row in given["rows"] if row["port"] == request]
    await ClockCycles(dut.clk, _QUIET_CYCLES)
    assert not writes.receive_nowait()
