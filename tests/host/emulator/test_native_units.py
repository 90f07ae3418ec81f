"""Units of the compiled machine but for norms equal their golden functions at their extremes, by every path."""

from itertools import product

import numpy as np
import pytest

from models.golden.attention import attention
from models.golden.closed_loop import ClosedLoop
from models.golden.head import logits, top_k
from models.golden.head_quant import head_quant
from models.golden.residual import residual_add
from models.golden.rope import ROPE_FRACTION, rope
from models.golden.scalar import from_word, log2_e_over_root, mul, shift, to_word
from models.golden.shortlist import shortlist
from models.golden.tap import NO_CLIP
from models.golden.ternary_matmul import ternary_matmul
from models.machine.build import SHORTLIST
from models.machine.descriptor import LoadTarget, Loop, Opcode
from models.machine.kv_format import kv_format
from models.machine.tables import rope_table
from models.ternary import unpack_trits
from tests.host.emulator.native_units import (
    ONE,
    PATHS,
    UnitMachine,
    activations,
    residual_like,
    same,
    some_scalars,
    some_words,
    wild_tap,
)

pytestmark = pytest.mark.parametrize("path", PATHS)


@pytest.mark.parametrize("rows", [*range(1, 17), 27, 40])
def test_matmul(path, rng, rows):
    shapes = ((1, 1), (321, 20), (5, 3), (1603, 7))[rows % 2 * 2:][:2] if rows < 40 else ((16380, 29),)
    for inputs, outputs in shapes:
        unit = UnitMachine(path, rows=rows, channels=inputs, sums=9 + outputs, memory=3 << 20, threads=rows % 3 + 1)
        q = rng.integers(-127, 128, (rows, inputs))
        q[:, 0] = 127
        q[-1] = rng.choice([-127, 127])
        trits = rng.integers(-1, 2, (outputs, inputs)).astype(np.int8)
        trits[-1] = rng.choice([-1, 0, 1])
        activations(unit, q)
        unit.add_matmul(trits, rows, accumulator=9)
        unit.run()
        assert same(unit.sums(rows, 9 + outputs)[:, 9:], ternary_matmul(q, trits))
        assert unit.machine.zeros == np.count_nonzero(q == 0) and unit.machine.activations == q.size


@pytest.mark.parametrize("outputs, inputs", [(48, 320), (96, 641), (49, 5441), (131, 1603), (610, 16)])
def test_matmul_of_many_rows(path, rng, outputs, inputs):
    rows = 35
    unit = UnitMachine(path, rows=rows, channels=inputs, sums=5 + outputs, memory=1 << 20, threads=2)
    q = rng.integers(-127, 128, (rows, inputs))
    q[:, 0] = 127
    q[-20], q[3] = 127, -127
    trits = rng.integers(-1, 2, (outputs, inputs)).astype(np.int8)
    trits[-1], trits[0] = 1, -1
    activations(unit, q)
    unit.add_matmul(trits, rows, accumulator=5)
    unit.run()
    assert same(unit.sums(rows, 5 + outputs)[:, 5:], ternary_matmul(q, trits))


def test_matmul_of_every_byte_and_the_longest_sums(path, rng):
    codes = np.arange(243, dtype=np.uint8)
    every = unpack_trits(np.stack([np.roll(codes, i) for i in range(64)]), 243 * 5)
    long = np.stack([np.full(8256, t, np.int8) for t in (1, -1, 0)])
    for trits in (every, long):
        inputs = trits.shape[1]
        q = rng.integers(-127, 128, (3, inputs))
        q[:, 0], q[1], q[2] = 127, 127, -127
        unit = UnitMachine(path, rows=3, channels=inputs, sums=trits.shape[0], memory=1 << 18)
        activations(unit, q)
        unit.add_matmul(trits, 3)
        unit.run()
        assert same(unit.sums(3, trits.shape[0]), ternary_matmul(q, trits))


def some_heads(rng, rows, heads, dim):
    """Sums of 24 bits and of few, which keep their last bit; one head of zeros, one with a single outlier."""
    x = rng.integers(-(2**23) + 1, 2**23, (rows, heads, dim))
    x[::2] >>= rng.integers(13, 22, x[::2, :, :1].shape)
    x[0, 0] = 0
    x[-1, -1, 1:] = rng.integers(-300, 300, dim - 1)
    return x


@pytest.mark.parametrize("kv_bits", [8, 16])
@pytest.mark.parametrize("dim", [2, 8, 96, 256])
def test_queries_keys_and_values(path, rng, kv_bits, dim):
    rows, heads, tokens, positions = 80, 3, 90, (1, 9, 2, 4)
    parts = ((3, slice(0, 50)), (1, slice(50, 80)))  # sequence, rows
    x, units, word = some_heads(rng, rows, heads, dim), some_scalars(rng, rows), int(some_words(rng))
    units.e[40:] = np.r_[-142:-122, 112:132] - (word >> 24) + 256 * (word >> 31)  # to both ends of a memory word
    table = rope_table(1e4, dim, tokens)
    angles = np.concatenate([table[positions[s]:][:r.stop - r.start] for s, r in parts])
    unit = UnitMachine(path, rows=rows, channels=heads * dim, sums=3 + heads * dim, heads=heads, kv_bits=kv_bits,
                       memory=1 << 20)
    unit.sums(rows, 3 + heads * dim)[:, 3:] = x.reshape(rows, -1)
    unit.set_scalars("unit", units)
    table_at = unit.place(table)
    for s, r in parts:
        unit.add(Opcode.LOAD, target=LoadTarget.ROPE, address=table_at, address_stride=dim * 2, sequence=s,
                 bytes=(r.stop - r.start) * dim * 2, offset=r.start * dim)
    kv = kv_format(kv_bits)
    row_bytes = kv.bytes_of(dim)
    words_at, head_bytes = tokens * row_bytes, tokens * (row_bytes + 4)
    places = {(opcode, s): unit.place(np.zeros(heads * head_bytes, np.uint8))
              for opcode in (Opcode.KEY, Opcode.VALUE) for s, _ in parts}
    shared = dict(heads=heads, dim=dim, accumulator=3, scale=word)
    unit.add(Opcode.QUERY, **shared, rows=rows)
    for (opcode, s), address in places.items():
        r = dict(parts)[s]
        unit.add(opcode, **shared, sequence=s, first_row=r.start, rows=r.stop - r.start, address=address,
                 address_stride=row_bytes, block_bytes=16 * row_bytes, scale_address=address + words_at,
                 scale_block_bytes=64, head_bytes=head_bytes)
    unit.run(*positions)
    scale = mul(units, from_word(word))
    rotated, rotated_scale = rope(x, angles), shift(scale, -ROPE_FRACTION)
    q, q_scale = head_quant(rotated, rotated_scale, 16)
    assert same(unit.array("queries", rows, heads, dim), q) and same(unit.scalars("query_scales", rows, heads), q_scale)
    for opcode, (wide, unit_of) in {Opcode.KEY: (rotated, rotated_scale), Opcode.VALUE: (x, scale)}.items():
        q, q_scale = head_quant(wide, unit_of, kv_bits)
        for (s, r), head in product(parts, range(heads)):
            start, position = places[opcode, s] + head * head_bytes, positions[s]
            written = slice(position, position + r.stop - r.start)
            found = kv.levels(unit.at(start, "u1", tokens, row_bytes))
            assert same(found[written], q[r, head]) and not found[:position].any() and not found[written.stop:].any()
            found = unit.at(start + words_at, "<u4", tokens)
            assert same(found[written], to_word(q_scale)[r, head]) and not found[:position].any()


@pytest.mark.parametrize("kv_bits", [8, 16])
@pytest.mark.parametrize("dim", [8, 40, 256])
@pytest.mark.parametrize("case", ["even", "spread", "extreme", "zeros"])
def test_attention(path, rng, kv_bits, dim, case):
    rows, first, position, kv_heads, group = 3, 2, 29, 2, 3
    heads, n, limit = kv_heads * group, position + rows, (1 << (kv_bits - 1)) - 1
    q = rng.integers(-32767, 32768, (rows, heads, dim))
    keys, values = rng.integers(-limit, limit + 1, (2, kv_heads, n, dim))
    low, high = {"even": (-24, -18), "spread": (-10, -9), "extreme": (-128, 128), "zeros": (-24, -18)}[case]
    q_scale = some_scalars(rng, rows, heads, low=low, high=high)
    scales = some_words(rng, 2, kv_heads, n, low=low, high=high)
    if case == "extreme":
        keys[:, ::3], q[0] = limit, 32767
        q[2, :, 1:], q[2, :, 0] = 0, 1  # so that large scales shift small products
        values[:, ::2] = -limit
    if case == "zeros":
        scales[:, 0], scales[1, 1, ::2], q[1] = 0, 0, 0
    unit = UnitMachine(path, rows=first + rows, channels=heads * dim, sums=heads * dim, heads=heads, kv_bits=kv_bits,
                       memory=1 << 18)
    unit.array("queries", first + rows, heads, dim)[first:] = q
    unit.array("query_scales", first + rows, heads, 2)[first:] = np.stack([q_scale.m, q_scale.e], axis=-1)
    kv = kv_format(kv_bits)
    row_bytes = kv.bytes_of(dim) + 16
    rows_of = np.zeros((2, kv_heads, n, row_bytes), np.uint8)
    for stored, what in zip(rows_of, (keys, values), strict=True):
        stored[..., :-16] = kv.stored(what)
    head_bytes = n * row_bytes
    words = np.zeros((2, kv_heads, head_bytes // 4), np.uint32)
    words[..., :n] = scales
    score_constant = int(to_word(log2_e_over_root(dim)))
    unit.add(Opcode.ATTEND, heads=heads, kv_heads=kv_heads, dim=dim, first_row=first, rows=rows, sequence=1,
             head_bytes=head_bytes, row_bytes=row_bytes, score_constant=score_constant, key_scales=unit.place(words[0]),
             value_scales=unit.place(words[1]), keys=unit.place(rows_of[0]), values=unit.place(rows_of[1]))
    unit.run(7, position)
    found = unit.array("attention", first + rows, heads, dim), unit.array("attention_exponents", first + rows, kv_heads)
    assert not any(part[:first].any() for part in found)
    found = tuple(part[first:] for part in found)
    for row in range(rows):
        seen = position + row + 1
        key_scales, value_scales = (from_word(s[:, :seen]) for s in scales)
        out, exponents = attention(q[row], q_scale[row], keys[:, :seen], key_scales, values[:, :seen], value_scales,
                                   from_word(score_constant), kv_bits=kv_bits)
        assert same(found[0][row], out) and same(found[1][row], exponents)


@pytest.mark.parametrize("exponents", [None, (-14, -13, -15), (63, 63, 63), (-64, -64, -64)])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("fraction_bits", [-20, 0, 21])
@pytest.mark.parametrize("rows", [7, 1])
def test_residual_add(path, rng, rows, exponents, affine, fraction_bits):
    count = 45
    h, sums = residual_like(rng, rows, count), rng.integers(-(2**23) + 1, 2**23, (rows, count))
    units, word = some_scalars(rng, rows, low=-30, high=0), int(some_words(rng, low=-10, high=4))
    units.e[:3], sums[:, :3] = [30, 60, 400][:rows], [[1, -1, 0]]
    tap = wild_tap(rng, count, exponents) if exponents else None
    if tap and affine:
        tap.clip[:] = NO_CLIP
        tap.threshold[:] = 0
    unit = UnitMachine(path, rows=rows, channels=count, sums=5 + count)
    unit.sums(rows, 5 + count)[:, 5:] = sums
    unit.set_scalars("unit", units)
    unit.add_load(LoadTarget.RESIDUAL, h.astype("<i4"))
    fields = unit.add_tap(tap) if tap else {}
    unit.add(Opcode.RESIDUAL, count=count, rows=rows, fraction_bits=fraction_bits, scale=word, accumulator=5, **fields)
    unit.run()
    expected, saturations = residual_add(h, sums, mul(units, from_word(word)), fraction_bits, tap)
    assert same(unit.machine.residual.reshape(rows, count), expected) and unit.machine.saturations == saturations


@pytest.mark.parametrize("acts", [Loop.ALWAYS, Loop.BELOW, Loop.ABOVE])
@pytest.mark.parametrize("exponent, setpoint", [(-44, 2**50), (-44, 1 - 2**60), (63, 5), (-64, 2**60 - 1)])
def test_a_closed_loop(path, rng, acts, exponent, setpoint):
    rows, count = 7, 1100
    h, sums = residual_like(rng, rows, count), rng.integers(-(2**23) + 1, 2**23, (rows, count))
    h[0], sums[0] = 2**31 - 1, 0
    loop = ClosedLoop.of(*rng.integers(-32768, 32768, (2, count)), exponent, setpoint, acts)
    loop.gain[::7] = -32768
    units = some_scalars(rng, rows, low=-30, high=0)
    word = int(some_words(rng, low=-10, high=4))
    unit = UnitMachine(path, rows=rows, channels=count, sums=count)
    unit.sums(rows, count)[:] = sums
    unit.set_scalars("unit", units)
    unit.add_load(LoadTarget.RESIDUAL, h.astype("<i4"))
    unit.add(Opcode.RESIDUAL, count=count, rows=rows, fraction_bits=9, scale=word, **unit.add_tap(loop))
    unit.run()
    expected, saturations = residual_add(h, sums, mul(units, from_word(word)), 9, loop)
    assert same(unit.machine.residual.reshape(rows, count), expected) and unit.machine.saturations == saturations


@pytest.mark.parametrize("count", [1, 511, 1100])
@pytest.mark.parametrize("k", [1, 16, 40])
@pytest.mark.parametrize("write_logits", [0, 1])
def test_head_and_its_best(path, rng, count, k, write_logits):
    rows, vocab = 3, 41
    q, head = rng.integers(-32767, 32768, (rows, count)), rng.integers(-127, 128, (vocab, count)).astype(np.int8)
    q[0], head[3], head[11] = 32767, 127, -127
    head[5:9] = head[20:24] = head[30]
    units, words = some_scalars(rng, rows, low=-40, high=-30), some_words(rng, vocab, low=0, high=28)
    words[5:9] = words[20:24] = words[30]
    words[33], words[[3, 11]] = 0, ONE  # the longest sums do not saturate
    unit = UnitMachine(path, rows=rows, channels=count, vocab=vocab)
    unit.array("head_input", rows, count)[:] = q
    unit.set_scalars("unit", units)
    top, out = unit.place(np.zeros((rows, 128, 2), np.int32)), unit.place(np.zeros((rows, 44), np.int32))
    unit.add_head(head, words, rows=rows, k=k, write_logits=write_logits, top=top, logits=out)
    unit.run()
    expected = logits(q, units, head, from_word(words))
    assert same(unit.at(out, "<i4", rows, 44)[:, :vocab], expected if write_logits else 0)
    for row in range(rows):
        ids, best = top_k(expected[row], k)
        found = unit.at(top, "<i4", rows, 128, 2)[row, :k]
        assert same(found[:, 0], ids) and same(found[:, 1], best)


def add_choice(unit, rng, trits, gains, chunk, k):
    """Append what chooses the shortlists of two rows in chunks; a first list is forgotten. Returns activations."""
    q = rng.integers(-127, 128, (2, trits.shape[1]))
    q[0] = q[1, 0] = 127
    activations(unit, q)
    for start in (0, *range(0, len(trits), chunk)):
        part = slice(start, start + chunk)
        unit.add_matmul(trits[part], 2, accumulator=3)
        unit.add_load(LoadTarget.GAIN, gains[part].astype("<i2"))
        unit.add(Opcode.SELECT, rows=2, count=len(trits[part]), accumulator=3, first_id=start, k=k,
                 begin=int(start == 0))
    return q


@pytest.mark.parametrize("k", [1, 5, SHORTLIST])
def test_shortlist(path, rng, k):
    for vocab, chunk, dim in ((150, 150, 9), (150, 40, 9), (3, 2, 3), (150, 50, 8000)):
        trits, gains = rng.integers(-1, 2, (vocab, dim)).astype(np.int8), rng.integers(0, 32768, vocab)
        trits[1], gains[1] = 1, 32767  # as wide as a score becomes here
        trits[20:60] = trits[100:140] = 1  # more equals than a list holds
        gains[20:60] = gains[100:140] = 30000
        unit = UnitMachine(path, rows=2, channels=dim, sums=3 + chunk, memory=1 << 18)
        q = add_choice(unit, rng, trits, gains, chunk, k)
        unit.run()
        expected = shortlist(q, trits, gains, k)
        assert same(unit.array("list_sizes", 2), expected.shape[1])
        assert same(unit.array("list_ids", 2, SHORTLIST)[:, :expected.shape[1]], expected)


def test_head_of_a_shortlist(path, rng):
    vocab, dim, k, listed = 90, 24, 9, 30
    trits, gains = rng.integers(-1, 2, (vocab, dim)).astype(np.int8), rng.integers(1, 32768, vocab)
    head, words = rng.integers(-127, 128, (vocab, dim)).astype(np.int8), some_words(rng, vocab, low=-20, high=-16)
    head[::3], words[::3] = head[0], words[0]  # equal logits, in the order of their ids and not of the list
    q16 = rng.integers(-32767, 32768, (2, dim))
    unit = UnitMachine(path, rows=2, channels=dim, sums=3 + vocab, vocab=vocab)
    q = add_choice(unit, rng, trits, gains, vocab, listed)
    tops = [unit.place(np.zeros((128, 2), np.int32)) for _ in range(2)]
    for row in (1, 0):
        unit.add(Opcode.LOAD, target=LoadTarget.HEAD_INPUT, address=unit.place(q16[row].astype("<i2")), bytes=dim * 2)
        unit.add_head(head, words, listed=listed, row=row, rows=1, first_row=row, k=k, top=tops[row])
    unit.run()
    units = unit.scalars("unit", 2)
    for row, ids in enumerate(shortlist(q, trits, gains, listed)):
        values = logits(q16[row:row + 1], units[row:row + 1], head[ids], from_word(words[ids]))[0]
        best_ids, best = top_k(values, k, ids)
        found = unit.at(tops[row], "<i4", k, 2)
        assert same(found[:, 0], best_ids) and same(found[:, 1], best)
