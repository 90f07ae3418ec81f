"""Scales by group and norms of heads: whole models and single products by every path, against the golden model."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.emulator.image import Image
from host.emulator.library import NUMPY, native_paths
from host.emulator.linking import link
from host.emulator.machine import ProgramError
from host.emulator.streams import Streams
from host.pipeline.host_steps import HostSteps
from host.runtime import Session
from models.errors import OptionError
from models.golden.head import grouped_logits
from models.golden.head_norm import head_norm
from models.golden.head_quant import head_quant
from models.golden.model import GoldenModel
from models.golden.norm_quant import norm_constants
from models.golden.rope import ROPE_FRACTION, rope
from models.golden.scalar import Scalar, from_word, mul, shift, to_word
from models.golden.ternary_matmul import grouped_matmul
from models.machine.build import CPU
from models.machine.descriptor import OPCODES, LoadTarget, Opcode, pack, unpack
from models.machine.layout import grouped_head_scales_start, mantissas_start
from models.machine.tables import rope_table
from models.synth import synthetic_model
from models.ternary_groups import GROUP, pack_groups
from tests.families import GROUPED
from tests.host.compiler.test_stops import points_of
from tests.host.emulator.native_units import ONE, PATHS, UnitMachine, same, some_scalars, some_words

every_path = pytest.mark.parametrize("path", PATHS)


@pytest.mark.parametrize("kernels", [*native_paths(), NUMPY])
@pytest.mark.parametrize("name", GROUPED)
def test_a_model_equals_the_golden_model(name, kernels):
    """Rows one by one and several at once, two sequences, drafts that are taken back."""
    model = synthetic_model(GROUPED[name], seed=1)
    ids = np.random.default_rng(2).integers(0, model.config.vocab_size, 30)
    golden = GoldenModel(model)
    expected = np.stack([golden.step(int(i)) for i in ids])
    session = Session(model, EmulatorDevice(CPU, kernels=kernels, threads=2), sequences=2)
    found = np.concatenate([session.score(ids[a:b]) for a, b in ((0, 15), (15, 16), (16, 30))])
    assert (found == expected).all()
    for layer, cache in enumerate(golden.caches):
        for what, values in session.cache(layer).items():
            assert (values == np.stack(getattr(cache, what), axis=1)).all(), what
    session.reset()
    session.advance([(0, ids[:4]), (1, ids[:9])])
    session.advance([(0, [*ids[4:6], 1, 2, 3])])
    session.position = 6
    tops = session.advance([(0, ids[6:12]), (1, ids[9:12])])
    assert (tops[5].logits[0], tops[8].logits[0]) == (expected[11].max(), expected[11].max())


@pytest.mark.parametrize("kernels", ["auto", NUMPY])
@pytest.mark.parametrize("name", GROUPED)
def test_a_stop_at_every_site_changes_no_bit(name, kernels):
    """Rows of activations that the host gives back lie as the products take them."""
    model = synthetic_model(GROUPED[name], seed=3)
    ids = np.random.default_rng(4).integers(0, model.config.vocab_size, 12)

    def look(point, rows, unit):
        pass

    steps = HostSteps(model, taps={}, looks={point: [look] for point in points_of(model.config)})
    sessions = [Session(model, EmulatorDevice(CPU, kernels=kernels), **given) for given in ({}, {"host_steps": steps})]
    plain, stopped = (session.score(ids) for session in sessions)
    assert (plain == stopped).all()


def test_a_shortlist_is_refused():
    model = synthetic_model(GROUPED["bonsai"], seed=1)
    with pytest.raises(OptionError, match="head shortlist: the model's head is ternary itself; use --head exact"):
        Session(model, EmulatorDevice(CPU), head="shortlist")


def activations(unit, q):
    """Append what lays q, int [rows, inputs] with a 127 in every row, for products by group."""
    unit.add_load(LoadTarget.RESIDUAL, q.astype("<i4"))
    unit.add(Opcode.NORM, count=q.shape[1], rows=len(q), gain=ONE)


def add_matmul(unit, trits, mantissas, shift, **fields):
    outputs, inputs = trits.shape
    address = unit._stream(pack_groups(trits))
    unit.machine.image.place(address + mantissas_start(outputs, inputs), mantissas.view(np.uint8).reshape(-1))
    unit.add(Opcode.STREAM, address=address)
    unit.add(Opcode.MATMUL, tiles=inputs // GROUP, outputs=outputs, grouped=1, group_shift=shift, **fields)


@every_path
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 8, 13])
def test_products(path, rng, rows):
    for groups, outputs, bits in ((1, 1, 0), (5, 9, 11), (2, 7, 3)):
        inputs = groups * GROUP
        unit = UnitMachine(path, rows=rows, channels=inputs, sums=9 + outputs, memory=1 << 19, threads=rows % 3 + 1)
        q = rng.integers(-127, 128, (rows, inputs))
        q[:, 0] = 127
        trits = rng.integers(-1, 2, (outputs, inputs)).astype(np.int8)
        mantissas = rng.integers(0, 32768, (outputs, groups)).astype(np.int16)
        activations(unit, q)
        add_matmul(unit, trits, mantissas, bits, rows=rows, accumulator=9)
        unit.run()
        assert same(unit.sums(rows, 9 + outputs)[:, 9:], grouped_matmul(q, trits, mantissas, bits))
        assert unit.machine.zeros == np.count_nonzero(q == 0)


@every_path
@pytest.mark.parametrize("rows", [1, 2, 4, 8])
def test_the_longest_sums(path, rows):
    """Lanes of 32 bits hold 32 steps: sums of one sign, at every limit, over more inputs than that; saturated too."""
    groups = 16384 // GROUP - 1
    q = np.full((rows, groups * GROUP), 127)
    q[-1] = -127
    trits = np.stack([np.full(groups * GROUP, t, np.int8) for t in (1, -1, 0)])
    mantissas = np.full((3, groups), 32767, np.int16)
    for bits in (12, 22):
        unit = UnitMachine(path, rows=rows, channels=q.shape[1], sums=3, memory=1 << 20)
        activations(unit, q)
        add_matmul(unit, trits, mantissas, bits, rows=rows)
        unit.run()
        expected = grouped_matmul(q, trits, mantissas, bits)
        assert same(unit.sums(rows, 3), expected) and (np.abs(expected).max() == 2**23 - 1) == (bits == 12)


@every_path
def test_logits(path, rng):
    vocab, groups, rows = 37, 3, 3
    count = groups * GROUP
    unit = UnitMachine(path, rows=rows, channels=count, vocab=vocab, memory=1 << 18)
    q = rng.integers(-32767, 32768, (rows, count))
    q[0], q[1] = 32767, -32767
    trits = rng.integers(-1, 2, (vocab, count)).astype(np.int8)
    trits[0], trits[1] = 1, -1
    mantissas = rng.integers(0, 32768, (vocab, groups)).astype(np.int16)
    mantissas[:2], mantissas[9:] = 32767, mantissas[9:] % 40  # these keep what the rounding of their sums decides
    scales, units = some_words(rng, vocab, low=-14, high=-9), some_scalars(rng, rows, low=-14, high=-9)
    scales[:9] -= 20 << 24
    unit.array("head_input", rows, count)[:] = q
    unit.set_scalars("unit", units)
    address = unit._stream(pack_groups(trits))
    for start, array in ((mantissas_start(vocab, count), mantissas), (grouped_head_scales_start(vocab, count), scales)):
        unit.machine.image.place(address + start, array.view(np.uint8).reshape(-1))
    padded = -(-vocab // 4) * 4
    logits, top = unit.place(np.zeros((rows, padded), "<i4")), unit.place(np.zeros((rows, CPU.top_k, 2), "<i4"))
    unit.add(Opcode.STREAM, address=address)
    unit.add(Opcode.LOGITS, vocab=vocab, count=count, rows=rows, k=5, write_logits=1, logits=logits, top=top, grouped=1)
    unit.run()
    expected = grouped_logits(q, units, trits, mantissas, from_word(scales))
    assert same(unit.at(logits, "<i4", rows, padded)[:, :vocab], expected)
    assert same(unit.at(top, "<i4", rows, CPU.top_k, 2)[:, 0, 1], expected.max(axis=1))


@every_path
@pytest.mark.parametrize("dim", [2, 64, 128, 256])
def test_norms_of_heads(path, rng, dim):
    rows, heads, tokens = 6, 3, 8
    x = rng.integers(-(2**23) + 1, 2**23, (rows, heads, dim))
    x[::2] >>= rng.integers(0, 22, x[::2, :, :1].shape)
    x[0, 0] = 0
    units, word, gains = some_scalars(rng, rows), int(some_words(rng)), rng.integers(-32767, 32768, dim)
    gains[0] = 32767
    constants = norm_constants(dim, 14, 1e-6)
    table = rope_table(1e4, dim, tokens)
    unit = UnitMachine(path, rows=rows, channels=heads * dim, sums=heads * dim, heads=heads, memory=1 << 19)
    unit.sums(rows, heads * dim)[:] = x.reshape(rows, -1)
    unit.set_scalars("unit", units)
    unit.add(Opcode.LOAD, target=LoadTarget.ROPE, address=unit.place(table), bytes=rows * dim * 2)
    unit.add_load(LoadTarget.GAIN, gains.astype("<i2"))
    unit.add(Opcode.QUERY, heads=heads, dim=dim, scale=word, rows=rows, normed=1,
             norm_gain=int(to_word(constants.gain)), norm_eps=int(to_word(constants.eps_sum)))
    unit.run()
    y, unit_of = head_norm(x, mul(units, from_word(word)), gains.astype(np.int16), constants)
    q, scale = head_quant(rope(y, table[:rows]), shift(unit_of, -ROPE_FRACTION), 16)
    assert same(unit.array("queries", rows, heads, dim), q)
    assert same(unit.scalars("query_scales", rows, heads), Scalar(*scale))


def test_a_program_has_matrices_of_one_kind():
    def described(opcode, **fields):
        return unpack(pack(opcode, **{field.name: fields.get(field.name, 0) for field in OPCODES[opcode].fields}))

    streams = Streams(CPU, Image(np.zeros(1 << 12, np.uint8), 0))
    program = [described(Opcode.STREAM), described(Opcode.MATMUL, rows=1, tiles=1, outputs=1, grouped=1),
               described(Opcode.STREAM, address=512), described(Opcode.MATMUL, rows=1, tiles=1, outputs=1)]
    with pytest.raises(ProgramError, match="some matrices of a program have scales by group, some have not"):
        link(program, streams, 1, skip=False)
