"""ReadRequests: addresses, sizes and order of the jobs' reads; jobs go on."""

from __future__ import annotations

import cocotb
from cocotb.triggers import ClockCycles

from hw.attention.read_requests import READ_REQUEST, ReadRequests
from models.machine.build import BuildParameters
from models.machine.cache import block_bytes, chunk_bytes, padded_row
from sim.streams import StreamSink, StreamSource
from sim.testbench import parameters, start


def expected_reads(build: BuildParameters, fields: dict[str, int], jobs: list[dict[str, int]]) -> list[dict[str, int]]:
    """Each job's keys, then the values of the job before; the last one's values at once."""
    size, chunk = build.beat_bytes, chunk_bytes(build.ports)
    reads, values = [], []
    for job in jobs:
        tokens, offset = job["tokens"] + job["rows_last"], job["kv_head"] * fields["head_bytes"]
        blocks, some = divmod(tokens, 16)
        length = blocks * fields["block_bytes"] + (128 + -(-some * fields["row_bytes"] // size) * size if some else 0)
        reads.append({"address": fields["key_scales"] + offset, "bytes": length})
        reads += values
        values = [{"address": fields["values"] + offset + n * fields["region_bytes"],
                   "bytes": -(-tokens * chunk // size) * size} for n in range(-(-fields["dim"] // chunk))]
        if job["last"]:
            reads, values = reads + values, []
    return reads


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def reads_in_order(dut, stall):
    """Commands one after another, of one job and of many."""
    given = parameters()
    build = BuildParameters(**given["build"])
    unit = ReadRequests(build)
    jobs_in = StreamSource(dut, "i", unit.i.payload.shape())
    jobs_out = StreamSink(dut, "o", unit.o.payload.shape(), stall=stall)
    reads = StreamSink(dut, "read", READ_REQUEST, stall=stall)
    names = ("dim", "head_bytes", "row_bytes", "block_bytes", "region_bytes", "key_scales", "values")
    for name in names:
        getattr(dut, name).value = 0
    await start(dut)
    for tokens, kv_heads, dim, row_blocks in given["commands"]:
        row_bytes = padded_row(dim, build)  # an element has a byte
        fields = {"dim": dim, "head_bytes": 0x12_3400, "row_bytes": row_bytes, "block_bytes": block_bytes(row_bytes),
                  "region_bytes": 0x4400, "key_scales": 0x80_0000_1000, "values": 0x80_0008_0000}
        for name in names:
            getattr(dut, name).value = fields[name]
        jobs = [{"last": int(block == len(row_blocks) - 1 and kv_head == kv_heads - 1), "kv_head": kv_head,
                 "head": kv_head,
                 "row": 0, "tokens": tokens + 4 * block, "heads_last": 0, "rows_last": rows - 1}
                for block, rows in enumerate(row_blocks) for kv_head in range(kv_heads)]
        jobs_in.send_nowait(*jobs)
        expected = expected_reads(build, fields, jobs)
        assert await reads.receive(len(expected)) == expected
        assert await jobs_out.receive(len(jobs)) == jobs
        await ClockCycles(dut.clk, 20)
        assert reads.receive_nowait() == [] and jobs_out.receive_nowait() == []
