"""AttentionEngine against golden attention: commands one after another, memory served with random stalls."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.attention.output_memory import OUTPUT_REQUEST, OUTPUT_WORD
from hw.attention.query_memory import QUERY, QUERY_SCALE
from hw.attention.read_requests import READ_REQUEST
from models.machine.build import LANES
from models.machine.descriptor import Opcode, pack
from sim.benches.attention.cases import AttentionCase, attention_case
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start

BASE = 0x12_3456_7890 & ~15
READ_DELAY = 24  # of this bench's memory, before the first data and where short reads follow each other


class Bench:
    """The engine's ports, a memory behind its reads, and one method that runs a case."""

    def __init__(self, dut, stall: float):
        self.dut, self.rng = dut, np.random.default_rng(generator("image").getrandbits(64))
        self.command = StreamSource(dut, "command")
        self.query = StreamSource(dut, "i_query", QUERY, stall=stall)
        self.query_scale = StreamSource(dut, "i_query_scale", QUERY_SCALE, stall=stall)
        self.read = StreamSink(dut, "o_read", READ_REQUEST, stall=stall, patience=10**6)
        self.data = StreamSource(dut, "i_data", stall=stall)
        self.request = StreamSource(dut, "i_request", OUTPUT_REQUEST, stall=stall)
        self.o = StreamSink(dut, "o", OUTPUT_WORD, stall=stall)
        self.memory = b""
        self.beats = 0

    async def serve(self) -> None:
        """Answer reads from the memory, in order."""
        while True:
            read = await self.read.receive()
            address, count = read["address"] - BASE, read["bytes"]
            assert address % 16 == 0 and count > 0 and 0 <= address and address + count <= len(self.memory), read
            beats = -(-count // 16)
            self.beats += beats
            chunk = self.memory[address:address + 16 * beats].ljust(16 * beats, b"\xff")
            self.data.send_nowait(*(int.from_bytes(chunk[16 * n:16 * n + 16], "little") for n in range(beats)))

    async def run(self, case: AttentionCase) -> int:
        """Run one command, check its results, return its cycles."""
        rows, heads, dim = case.q.shape
        kv_heads = case.keys.shape[0]
        self.memory, fields = case.image(BASE, self.rng)
        self.query.send_nowait(*(
            {"row": row, "head": head, "index": index, "values": case.q[row, head, index:index + LANES]}
            for row in range(rows) for head in range(heads) for index in range(0, dim, LANES)))
        await self.query_scale.send(
            {"row": row, "head": head, "scale": {"m": case.q_scale.m[row, head], "e": case.q_scale.e[row, head]}}
            for row in range(rows) for head in range(heads))
        await self.query.drain()
        self.dut.position.value = case.position
        command = pack(Opcode.ATTEND, heads=heads, kv_heads=kv_heads, dim=dim, rows=rows, first_row=0, sequence=0,
                       score_constant=case.score_constant, **fields)
        self.beats = 0
        await self.command.send([int.from_bytes(command, "little")])
        self.dut.position.value = 0xFFFF
        cycles = 0
        while not self.dut.retired.value:
            await RisingEdge(self.dut.clk)
            cycles += 1
            assert cycles < 500_000, "no end"
        expected_beats = sum(
            kv_heads * 2 * (-(-n // 4) + n * case.row_bytes // 16)
            for n in range(case.position + 1, case.position + rows + 1))
        assert self.beats == expected_beats, (self.beats, expected_beats)
        for row in (*range(rows), 0):
            await self.check_row(case, row)
        return cycles

    async def check_row(self, case: AttentionCase, row: int) -> None:
        _, heads, dim = case.q.shape
        expected, exponent = case.golden(row)
        await self.request.send([
            {"count": heads * dim, "row": row, "group_channels": heads // case.keys.shape[0] * dim}])
        words = await self.o.receive_packet()
        assert self.dut.exponent.value.to_signed() == exponent
        values = [value for word in words for value in word["values"]]
        assert len(values) == heads * dim
        wrong = np.flatnonzero(np.array(values) != expected)
        assert not wrong.size, f"row {row}: {wrong.size} of {len(values)}, first {wrong[0]}: " \
            f"{values[wrong[0]]}, expected {expected[wrong[0]]}"


@cocotb.test()
async def commands(dut):
    """Every case of the parameters, one command each."""
    given = parameters()
    bench = Bench(dut, given["stall"])
    dut.position.value = 0
    await start(dut)
    cocotb.start_soon(bench.serve())
    for description in given["cases"]:
        case = attention_case(**description)
        cycles = await bench.run(case)
        dut._log.info("%s: %d cycles", description, cycles)
        if not given["stall"]:
            tokens = range(case.position + 1, case.position + case.q.shape[0] + 1)
            kv_heads, group = case.keys.shape[0], case.q.shape[1] // case.keys.shape[0]
            steps, normalise = group * case.row_bytes // 16, group * (case.q.shape[2] + 42)
            bound = READ_DELAY + normalise + 21 + kv_heads * sum(
                max(2 * -(-n // 4) + 2 * steps * n + 47, steps * n + normalise + 22) for n in tokens)
            assert cycles <= bound, f"{description}: {cycles} cycles, more than {bound}"
