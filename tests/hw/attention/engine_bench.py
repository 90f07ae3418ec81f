"""AttentionEngine against golden attention: commands one after another, memory served with random stalls."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hw.attention.output_memory import OUTPUT_REQUEST, output_word
from hw.attention.query_memory import QUERY_SCALE, query_part
from hw.attention.read_requests import READ_REQUEST
from hw.command import POSITIONS
from models.machine.build import BuildParameters
from models.machine.descriptor import Opcode, pack
from models.machine.registers import SEQUENCES
from sim.packing import Packing
from sim.streams import StreamSink, StreamSource
from sim.testbench import generator, parameters, start
from tests.hw.attention.cases import AttentionCase, attention_case
from tests.hw.attention.pace import command_cycles, jobs_of

BASE = 0x12_3456_7800 & ~1023


class Bench:
    """The engine's ports, a memory behind its reads, and one method that runs a case."""

    def __init__(self, dut, build: BuildParameters, stall: float):
        self.build = build
        self.dut, self.rng = dut, np.random.default_rng(generator("image").getrandbits(64))
        self.command = StreamSource(dut, "command")
        self.query = StreamSource(dut, "i_query", query_part(build.lanes), stall=stall)
        self.query_scale = StreamSource(dut, "i_query_scale", QUERY_SCALE, stall=stall)
        self.read = StreamSink(dut, "o_read", READ_REQUEST, stall=stall, patience=10**6)
        self.data = StreamSource(dut, "i_data", stall=stall)
        self.request = StreamSource(dut, "i_request", OUTPUT_REQUEST, stall=stall)
        self.o = StreamSink(dut, "o", output_word(build.lanes), stall=stall, patience=10**6)
        self.memory = b""
        self.beats = 0

    async def serve(self) -> None:
        """Answer reads from the memory, in order."""
        while True:
            read = await self.read.receive()
            address, count = read["address"] - BASE, read["bytes"]
            size = self.build.beat_bytes
            assert address % self.build.stream_align == 0 and count > 0 and count % size == 0, read
            assert 0 <= address and address + count <= len(self.memory) + size, read
            beats = count // size
            self.beats += beats
            chunk = self.memory[address:address + count].ljust(count, b"\xff")
            self.data.send_nowait(*(int.from_bytes(chunk[size * n:size * n + size], "little") for n in range(beats)))

    async def run(self, case: AttentionCase) -> int:
        """Run one command, check its results, return its cycles."""
        first_row = int(self.rng.integers(0, self.build.rows - case.q.shape[0] + 1))
        rows, heads, dim = case.q.shape
        lanes = self.build.lanes
        kv_heads = case.keys.shape[0]
        self.memory, fields = case.image(self.build, BASE, self.rng)
        self.query.send_nowait(*(
            {"row": first_row + row, "head": head, "index": index, "values": case.q[row, head, index:index + lanes]}
            for row in range(rows) for head in range(heads) for index in range(0, dim, lanes)))
        scale = case.q_scale
        await self.query_scale.send(
            {"row": first_row + row, "head": head, "scale": {"m": scale.m[row, head], "e": scale.e[row, head]}}
            for row in range(rows) for head in range(heads))
        await self.query.drain()
        sequence = int(self.rng.integers(SEQUENCES))
        token = int(self.rng.integers(0, min(case.position, 3) + 1))
        positions = [case.position - token if s == sequence else 0xFFFF for s in range(SEQUENCES)]
        self.dut.positions.value = Packing.of(POSITIONS).pack(positions)
        command = pack(Opcode.ATTEND, heads=heads, kv_heads=kv_heads, dim=dim, rows=rows, first_row=first_row,
                       sequence=sequence, token=token, score_constant=case.score_constant, **fields)
        self.beats = 0
        await self.command.send([int.from_bytes(command, "little")])
        cycles = 0
        while not self.dut.retired.value:
            await RisingEdge(self.dut.clk)
            cycles += 1
            assert cycles < 500_000, "no end"
        assert self.beats == sum(job.beats for job in jobs_of(self.build, case)), self.beats
        for row in (*range(rows), 0):
            await self.check_row(case, row, first_row)
        return cycles

    async def check_row(self, case: AttentionCase, row: int, first_row: int) -> None:
        _, heads, dim = case.q.shape
        expected, exponent = case.golden(row)
        await self.request.send([
            {"count": heads * dim, "row": first_row + row, "group_channels": heads // case.keys.shape[0] * dim}])
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
    build = BuildParameters(**given["build"])
    bench = Bench(dut, build, given["stall"])
    dut.positions.value = 0
    await start(dut)
    cocotb.start_soon(bench.serve())
    for description in given["cases"]:
        case = attention_case(**description)
        cycles = await bench.run(case)
        dut._log.info("%s: %d cycles", description, cycles)
        if not given["stall"]:
            bound = command_cycles(jobs_of(build, case))
            assert cycles <= bound, f"{description}: {cycles} cycles, more than {bound}"
