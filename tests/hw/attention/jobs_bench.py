"""JobWalk: every (head, row) pair of a command in exactly one job, in the order of the contract."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from hw.attention.jobs import JOB
from hw.command import POSITIONS
from models.machine.descriptor import Opcode, pack
from models.machine.registers import SEQUENCES
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start
from tests.hw.attention.cases import expected_jobs


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def all_pairs_once(dut, stall):
    given = parameters()
    commands = StreamSource(dut, "command")
    sink = StreamSink(dut, "o", JOB, stall=stall)
    dut.positions.value = dut.retired.value = 0
    await start(dut)
    unused = dict.fromkeys(("key_scales", "value_scales", "keys", "values", "head_bytes", "row_bytes", "block_bytes",
                            "region_bytes", "score_constant", "dim"), 0)
    for heads, kv_heads, rows, first_row, position in given["commands"]:
        sequence = (heads + position) % SEQUENCES
        token = min(position, heads)  # rows of the pass before these
        positions = [position - token if s == sequence else 0xFFFF for s in range(SEQUENCES)]
        dut.positions.value = Packing.of(POSITIONS).pack(positions)
        command = pack(Opcode.ATTEND, heads=heads, kv_heads=kv_heads, rows=rows, first_row=first_row,
                       sequence=sequence, token=token, **unused)
        await commands.send([int.from_bytes(command, "little")])
        expected = expected_jobs(given["pairs"], heads, kv_heads, rows, first_row, position)
        assert await sink.receive(len(expected)) == expected, (heads, kv_heads, rows)
        pairs = {(job["row"] + r, job["head"] + h) for job in expected for r in range(job["rows_last"] + 1)
                 for h in range(job["heads_last"] + 1)}
        assert len(pairs) == heads * rows
        await ClockCycles(dut.clk, 10)
        assert sink.receive_nowait() == [] and not dut.command__ready.value
        dut.retired.value = 1
        await RisingEdge(dut.clk)
        dut.retired.value = 0
