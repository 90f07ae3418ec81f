"""VectorEngine over the commands of one layer, each against the golden functions it promises."""

from __future__ import annotations

import cocotb
import numpy as np

from models.golden.closed_loop import ClosedLoop
from models.golden.gated import gated_product
from models.golden.head_quant import head_quant
from models.golden.rope import ROPE_FRACTION, rope
from models.golden.scalar import constant, from_word, mul, shift, to_word
from models.golden.tap import Tap
from models.machine.build import CHANNEL_UNIT
from models.machine.descriptor import Activation, LoadTarget, Loop, NormSource, Opcode
from models.machine.tables import rope_table
from sim.testbench import parameters
from tests.hw.vector.surroundings import FRACTION_BITS, POSITIONS_OF, Surroundings, check_equal, random_tap, rows_of

TOKEN = 3  # of a sequence, rows before these in the pass
KEYS, SCALES, HEAD_BYTES = 0x98_7654_3200, 0x12_3456_7800, 0x4000
FIRST_ID = 0xABCD01  # of the rows that SELECT sees
PLAIN_HEADS = {"normed": 0, "norm_gain": 0, "norm_eps": 0}  # a fabric has no other


@cocotb.test()
async def norms(dut):
    """NORM from each source, with and without gains, tap and clamp, to the linear engine and to the head."""
    given = parameters()
    bench = Surroundings(dut, given)
    rng, rows = bench.rng, bench.rows
    await bench.begin()
    dim, wide = given["hidden"], given["ffn"]
    h = rng.integers(-(1 << 20), 1 << 20, (rows, dim))
    h[-1, 3] = 1 << 30
    gains = rng.integers(1000, 20000, wide).astype(np.int16)
    tap = random_tap(rng, wide, 0)
    await bench.load(LoadTarget.RESIDUAL, h.astype("<i4"))
    await bench.load(LoadTarget.GAIN, gains.astype("<i2"))
    await bench.load_tap(tap)
    narrow = Tap(**{**vars(tap), **{f: getattr(tap, f)[:dim] for f in ("gain", "add", "clip", "threshold")}})
    residual = rows_of(constant(2.0**-FRACTION_BITS), rows)
    unit = {"unit_exponent": -FRACTION_BITS}
    await bench.norm(NormSource.RESIDUAL, h, residual, gains=gains[:dim], levels=32767, **unit)
    await bench.norm(NormSource.RESIDUAL, h, residual, gains=gains[:dim], tap=narrow, **unit)
    await bench.norm(NormSource.RESIDUAL, h, residual, **unit)
    await bench.norm(NormSource.RESIDUAL, h, rows_of(constant(2.0**-50), rows), gains=gains[:dim], unit_exponent=-50)

    bench.attention = rng.integers(-(1 << 24), 1 << 24, (rows, dim))
    bench.exponents = [int(e) for e in rng.integers(-40, -20, rows)]
    scale = shift(rows_of(constant(1), rows), np.array(bench.exponents))
    await bench.norm(NormSource.ATTENTION, bench.attention, scale, gains=gains[:dim], group_channels=24)
    await bench.norm(NormSource.ATTENTION, bench.attention, scale, tap=narrow, group_channels=24)

    for name, activation in (("relu2", Activation.RELU2), ("silu", Activation.SILU)):
        words = {"gate_scale": int(to_word(constant(2.3e-2))), "up_scale": int(to_word(constant(4.1e-3)))}
        gate, up = bench.slice(3, wide), bench.slice(70, wide)
        product, scale = gated_product(gate, mul(bench.unit, from_word(words["gate_scale"])), up,
                                       mul(bench.unit, from_word(words["up_scale"])), name)
        await bench.norm(NormSource.GATED, product, scale, gains=gains if name == "silu" else None,
                         tap=tap if name == "relu2" else None, activation=activation, gate_accumulator=3,
                         up_accumulator=70, **words)


@cocotb.test()
async def heads(dut):
    """QUERY, KEY and VALUE after a NORM, and the bytes they leave in the cache. The last row is another sequence's."""
    given = parameters()
    bench = Surroundings(dut, given)
    rng, rows, kv_bits = bench.rng, bench.rows, bench.kv_bits
    await bench.begin()
    dim, count, kv_heads = given["dim"], given["heads"], given["kv_heads"]
    h = rng.integers(-(1 << 20), 1 << 20, (rows, given["hidden"]))
    parts = [(sequence, part) for sequence, part in ((5, range(rows - 1)), (2, range(rows - 1, rows))) if part]
    tokens = [POSITIONS_OF[sequence] + TOKEN + r for sequence, part in parts for r in range(len(part))]  # of each row
    angles = rope_table(10000.0, dim, max(tokens) + 1)[tokens]
    await bench.load(LoadTarget.RESIDUAL, h.astype("<i4"))
    await bench.load(LoadTarget.ROPE, angles.astype("<i2"))
    await bench.norm(NormSource.RESIDUAL, h, rows_of(constant(2.0**-FRACTION_BITS), rows), unit_exponent=-FRACTION_BITS)

    word = int(to_word(constant(3.3e-2)))
    unit = mul(bench.unit, from_word(word))
    sums = bench.slice(5, count * dim).reshape(rows, count, dim)
    q, steps = head_quant(rope(sums, angles), shift(unit, -ROPE_FRACTION), 16)
    await bench.run_rows(Opcode.QUERY, heads=count, dim=dim, accumulator=5, scale=word, **PLAIN_HEADS)
    scales = bench.results["o_query_scale"].receive_nowait()
    check_equal(bench.taken("o_query"), [
        {"row": row, "head": head, "index": n, "values": q[row, head, n:n + bench.lanes].tolist()}
        for row in range(rows) for head in range(count) for n in range(0, dim, bench.lanes)])
    check_equal(scales, [{"row": row, "head": head, "scale": {"m": steps.m[row, head], "e": steps.e[row, head]}}
                    for row in range(rows) for head in range(count)])

    row_bytes = -(-dim * kv_bits // 128) * 16
    for opcode, accumulator in ((Opcode.KEY, 40), (Opcode.VALUE, 61)):
        x, scale = bench.slice(accumulator, kv_heads * dim).reshape(rows, kv_heads, dim), unit
        if opcode == Opcode.KEY:
            x, scale = rope(x, angles), shift(unit, -ROPE_FRACTION)
        q, steps = head_quant(x, scale, kv_bits)
        expected = {}
        for row, head in np.ndindex(rows, kv_heads):
            for base, stride, content in (  # one port: chunks of 16 bytes and no striping
                    (KEYS, row_bytes, q[row, head].astype(f"<i{kv_bits // 8}").tobytes()),
                    (SCALES, 4, int(to_word(steps[row, head])).to_bytes(4, "little"))):
                address = base + tokens[row] * stride + head * HEAD_BYTES
                expected.update({address + n: byte for n, byte in enumerate(content)})
        bench.memory.clear()
        for sequence, part in parts:
            await bench.run(
                opcode, heads=kv_heads, dim=dim, accumulator=accumulator, scale=word, address=KEYS,
                address_stride=row_bytes, block_bytes=16 * row_bytes, region_bytes=16, scale_address=SCALES,
                scale_block_bytes=64, head_bytes=HEAD_BYTES, sequence=sequence, token=TOKEN, first_row=part.start,
                rows=len(part), **(PLAIN_HEADS if opcode == Opcode.KEY else {}))
        bench.taken("o_linear")
        assert bench.memory == expected, f"{opcode.name}: the cache differs"


@cocotb.test()
async def residuals(dut):
    """RESIDUAL without and with a tap and with closed loops, with channels that saturate; a NORM after each shows the
    memory."""
    given = parameters()
    bench = Surroundings(dut, given)
    rng, rows, dim = bench.rng, bench.rows, given["hidden"]
    await bench.begin()
    limit = (1 << 31) - 1
    h = rng.integers(-(1 << 22), 1 << 22, (rows, dim))
    h[:, 2], h[:, 5] = limit, -limit
    bench.slice(4, dim)[:, [2, 5]] = (1 << 20, -(1 << 20))
    tap = random_tap(rng, dim, 4)
    await bench.load(LoadTarget.RESIDUAL, h.astype("<i4"))
    await bench.load_tap(tap)
    unit = rows_of(constant(2.0**-FRACTION_BITS), rows)
    await bench.norm(NormSource.RESIDUAL, h, unit, levels=32767, unit_exponent=-FRACTION_BITS)
    word = int(to_word(constant(5.1e-3)))
    for accumulator, steering in ((4, None), (9, tap), (4, None)):
        h = await bench.residual(h, accumulator, word, steering)
        await bench.norm(NormSource.RESIDUAL, h, unit, levels=32767, unit_exponent=-FRACTION_BITS)
    assert bench.counts["saturations"] > 0
    for acts in (Loop.ALWAYS, Loop.BELOW, Loop.ABOVE):
        direction, gain = rng.integers(-32768, 32768, (2, dim))
        loop = ClosedLoop.of(direction, gain, -44, int(np.median(h @ direction)), acts)  # some rows above, some below
        await bench.load_tap(loop)
        moved = await bench.residual(h, 4, word, loop)
        assert (moved != h).any()
        h = moved
        await bench.norm(NormSource.RESIDUAL, h, unit, levels=32767, unit_exponent=-FRACTION_BITS)


class Shortlists:
    """SELECT of rows first_row .. of the engine, in pieces of at most `piece` ids, and what it must leave."""

    def __init__(self, bench: Surroundings, first_row: int, rows: int):
        self.bench, self.rows = bench, range(first_row, first_row + rows)

    async def choose(self, scores: np.ndarray, gains: np.ndarray, k: int, *, piece: int) -> list[int]:
        """Of sums [rows, ids] and gains [ids]; checks the lists and returns the cycles of each command."""
        bench, cycles = self.bench, []
        for first in range(0, gains.size, piece):
            part = slice(first, first + piece)
            accumulator, count = int(bench.rng.integers(0, 90)), gains[part].size
            bench.slice(accumulator, piece + CHANNEL_UNIT)[self.rows] = (1 << 23) - 1  # beyond it: the largest of all
            bench.slice(accumulator, count)[self.rows] = scores[:, part]
            filled = np.full(-(-count // CHANNEL_UNIT) * CHANNEL_UNIT, 32767, "<i2")
            filled[:count] = gains[part]
            await bench.load(LoadTarget.GAIN, filled)
            cycles.append(await bench.run(
                Opcode.SELECT, first_row=self.rows.start, rows=len(self.rows), count=count, accumulator=accumulator,
                first_id=FIRST_ID + first, k=k, begin=first == 0))
        await self.check(scores * gains.astype(np.int64), k)
        return cycles

    async def check(self, scores: np.ndarray, k: int) -> None:
        """The lists of all rows: larger scores first, lower ids first among equals."""
        for row, of_row in zip(self.rows, scores, strict=True):
            best = np.lexsort((np.arange(of_row.size), -of_row))[:k]
            self.bench.places.send_nowait(*({"row": row, "index": n} for n in range(k)))
            listed = await self.bench.ids.receive(k)
            assert listed == (FIRST_ID + best).tolist(), f"row {row}"


@cocotb.test()
async def selects(dut):
    """SELECT by itself and in pieces: ties, scores that rise, fall, are equal, extreme; lists left alone meanwhile."""
    given = parameters()
    bench = Surroundings(dut, given)
    rng, rows, most = bench.rng, bench.rows, given["ffn"]
    await bench.begin()
    shortlists = Shortlists(bench, 0, rows)
    ones, rising = np.ones(most, np.int16), np.arange(most)

    def all_rows(sums: np.ndarray) -> np.ndarray:
        return np.stack([np.roll(sums, row) for row in range(rows)])

    for k, sums, gains in (
            (5, rng.integers(-3, 4, most), ones), (16, np.zeros(most, int), ones), (64, rising, ones),
            (7, rising, -ones), (1, rng.integers(-9, 9, most), ones), (2, -rising - 5, ones),
            (64, rng.integers(-(1 << 23), 1 << 23, most), rng.integers(-32768, 32768, most)),
            (4, np.where(rising % 3, -(1 << 23), (1 << 23) - 1), np.where(rising % 2, 32767, -32768)),
            (64, np.full(most, -(1 << 23)), 32767 * ones), (64, np.full(most, -(1 << 23)), -32768 * ones)):
        await shortlists.choose(all_rows(sums), gains.astype(np.int16), k, piece=most)
    for count in range(1, 10):
        await shortlists.choose(rng.integers(-9, 9, (rows, count)), ones[:count], count, piece=most)

    # pieces: as many ids as there are in all, ties across them
    for ids, k, piece in ((8 * most, 64, most), (100, 9, 13), (64, 64, 1)):
        sums, gains = rng.integers(-(1 << 17), 1 << 17, (rows, ids)), rng.integers(-9000, 9000, ids)
        sums[:, rng.random(ids) < 0.5] = 1 << 16
        gains[rng.random(ids) < 0.7] = 8000
        await shortlists.choose(sums, gains.astype(np.int16), k, piece=piece)
    if rows > 1:  # a row chosen from alone, amid the others' lists
        scores = rng.integers(-99, 99, (rows, most))
        await shortlists.choose(scores, ones, 20, piece=most)
        await Shortlists(bench, 1, 1).choose(rng.integers(-99, 99, (1, most)), ones, 12, piece=50)
        for row in {*range(rows)} - {1}:
            await Shortlists(bench, row, 1).check(scores[row:row + 1], 20)

    if not bench.stall:  # a word a cycle where none enters, and a norm after it finds its gains
        falling = np.broadcast_to(-np.arange(2 * most), (rows, 2 * most))
        cycles = await shortlists.choose(falling, np.ones(2 * most, np.int16), 64, piece=most)
        assert cycles[1] <= rows * (most / bench.lanes + 16), cycles
        cycles = await shortlists.choose(-falling[:, :64], np.ones(64, np.int16), 64, piece=64)
        assert cycles[0] <= rows * (64 * (5 + 64) + 64 + 4 * 16), cycles
    dim = given["hidden"]
    h, gains = rng.integers(-(1 << 20), 1 << 20, (rows, dim)), rng.integers(1000, 20000, dim).astype(np.int16)
    await bench.load(LoadTarget.RESIDUAL, h.astype("<i4"))
    await bench.load(LoadTarget.GAIN, gains.astype("<i2"))
    await bench.norm(NormSource.RESIDUAL, h, rows_of(constant(2.0**-FRACTION_BITS), rows), gains=gains,
                     unit_exponent=-FRACTION_BITS)
