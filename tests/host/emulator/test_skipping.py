"""Weights that a zero makes useless are not read, and no bit tells: by every path, for one row and several."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY, native_paths
from host.emulator.native_operation import Live
from host.emulator.skipping import skips_of
from host.pipeline.host_steps import HostSteps
from host.runtime import Session
from models.golden.gated import gated_product
from models.golden.head import HEAD_LEVELS
from models.golden.norm_quant import NormConstants, norm_quant
from models.golden.scalar import Scalar, constant, from_word, mul
from models.golden.ternary_matmul import ternary_matmul
from models.machine.build import CPU
from models.machine.descriptor import OPCODES, Activation, NormSource, Opcode, StoreSource, pack, unpack
from models.model import Layer
from models.synth import synthetic_model
from models.ternary import packed_width
from tests.families import FAMILIES
from tests.host.compiler.test_sequences import TOKENS_MAX, plans
from tests.host.compiler.test_stops import equal, points_of, run
from tests.host.emulator.native_units import ONE, PATHS, UnitMachine, activations, same
from tests.host.emulator.test_properties import TINY, cases, model_of, taps_of

compiled = pytest.mark.skipif(not native_paths(), reason="no compiled library")
every_path = pytest.mark.parametrize("path", PATHS)


def groups(rows):
    """The rows that go through a matrix together."""
    start = 0
    while start < rows:
        size = next(size for size in (8, 4, 2, 1) if size <= rows - start)
        yield slice(start, start + size)
        start += size


@every_path
@pytest.mark.parametrize("rows", [1, 2, 7, 9])
@pytest.mark.parametrize(("inputs", "outputs"), [(700, 330), (645, 1000)])
def test_columns_of_zero_inputs_are_not_read(path, rng, rows, inputs, outputs):
    """Few inputs, the same in all rows, an odd number and an even one; then as many as there are."""
    trits = rng.integers(-1, 2, (outputs, inputs)).astype(np.int8)
    trits[0], trits[1] = 1, -1
    size = -(-outputs // 256) * 64
    unit = UnitMachine(path, rows=rows, channels=max(inputs, outputs), sums=9 + outputs, memory=1 << 18,
                       threads=rows % 3 + 1)
    for live in (131, 2, 0, inputs):
        kept = np.zeros(inputs, bool)
        kept[rng.choice(inputs, live, replace=False)] = True
        q = np.where(kept, rng.choice([-127, -3, 90, 127], (rows, inputs)), 0)
        if live:
            q[:, np.flatnonzero(kept)[0]] = 127
        activations(unit, q)
        unit.add_matmul(trits, rows, accumulator=9)
        unit.sums(rows, 9 + outputs)[:] = 77
        unit.add(Opcode.RESIDUAL, rows=rows, count=outputs, scale=ONE, accumulator=9)
        unit.run()
        found = unit.sums(rows, 9 + outputs)
        assert same(found[:, 9:], ternary_matmul(q, trits)) and (found[:, :9] == 77).all()
        together = len(list(groups(rows)))
        whole = together * outputs * packed_width(inputs)
        assert unit.machine.weights_read == (whole, whole if live == inputs else together * live * size)


@every_path
def test_columns_serve_a_sparse_row_beside_dense_ones(path, rng):
    inputs, outputs = 700, 330
    trits, q = rng.integers(-1, 2, (outputs, inputs)).astype(np.int8), rng.integers(1, 128, (3, inputs))
    q[2, 5:] = 0
    q[:, 0] = 127
    unit = UnitMachine(path, rows=3, channels=inputs, sums=outputs, memory=1 << 18)
    activations(unit, q)
    unit.add_matmul(trits, 3)
    unit.add(Opcode.RESIDUAL, rows=3, count=outputs, scale=ONE)
    unit.run()
    assert same(unit.sums(3, outputs), ternary_matmul(q, trits))
    size = outputs * packed_width(inputs)
    assert unit.machine.weights_read == (2 * size, size + 5 * 128)


@every_path
@pytest.mark.parametrize("activation", ["relu2", "silu"])
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_rows_of_up_with_a_gate_of_zero_are_not_read(path, rng, rows, activation):
    inputs, outputs, threads = 200, 331, rows % 2 + 1
    gate, up = rng.integers(-1, 2, (2, outputs, inputs)).astype(np.int8)
    gate[::3] = 0
    up[:, 7] = 1
    q = rng.integers(-127, 128, (rows, inputs))
    q[:, 0] = 127
    if activation == "silu":
        q[:] = q[0]  # that rows differ by their units alone
    gate[1::3] = -np.sign(q[0])  # far below zero: a sigmoid of zero
    unit = UnitMachine(path, rows=rows, channels=outputs, sums=2 * outputs, memory=1 << 18, threads=threads)
    steps = q << np.arange(rows)[::-1, None]  # other units for other rows
    activations(unit, steps)
    one = Scalar(np.full(rows, 1 << 23), np.zeros(rows, np.int64))
    units = norm_quant(steps, one, None, NormConstants(constant(1), None))[1]
    word = int(np.uint32(1 << 23 | (-8 - rows & 255) << 24))
    unit.add_matmul(gate, rows)
    unit.add_matmul(up, rows, accumulator=outputs)
    unit.add(Opcode.NORM, source=NormSource.GATED, count=outputs, rows=rows, gain=ONE, levels16=1,
             activation=Activation[activation.upper()], gate_accumulator=0, up_accumulator=outputs, gate_scale=word,
             up_scale=word)
    unit.sums(rows, 2 * outputs)[:] = -55
    unit.run()
    gates, ups, scale = ternary_matmul(q, gate), ternary_matmul(q, up), mul(units, from_word(np.uint32(word)))
    x, x_unit = gated_product(gates, scale, ups, scale, activation)
    expected = norm_quant(x, x_unit, None, NormConstants(constant(1), None), levels=HEAD_LEVELS)
    assert same(unit.array("head_input", rows, outputs), expected[0])
    live = gated_product(gates, scale, np.ones_like(ups), scale, activation)[0] != 0
    of_any = [live[group].any(axis=0) for group in groups(rows)]
    if rows == 1:
        assert 0.1 < live.mean() < 0.6
    size = outputs * packed_width(inputs)
    assert unit.machine.weights_read == (2 * len(of_any) * size,
                                         len(of_any) * size + sum(map(np.sum, of_any)) * packed_width(inputs))
    for group, any_live in zip(groups(rows), of_any, strict=True):
        assert same(unit.sums(rows, 2 * outputs)[group, outputs:], np.where(any_live, ups[group], 0))


def described(*operations):
    """A decoded program of (opcode, fields); fields that are not given are 0."""
    return [unpack(pack(opcode, **{field.name: 0 for field in OPCODES[opcode].fields} | fields))
            for opcode, fields in operations]


GATE, UP = ((Opcode.MATMUL, dict(outputs=10, rows=2, accumulator=start)) for start in (0, 10))
GATED = (Opcode.NORM, dict(source=NormSource.GATED, count=10, rows=2, gate_accumulator=0, up_accumulator=10))


def test_which_products_leave_something_out():
    down = (Opcode.MATMUL, dict(outputs=6, rows=2))
    program = described(GATE, UP, GATED, down, (Opcode.RESIDUAL, dict(count=6, rows=2)), down)
    assert {place: skip.live for place, skip in skips_of(program, 1).items()} == {1: Live.ROWS, 3: Live.COLUMNS}


@pytest.mark.parametrize("program", [
    (UP, GATE, GATED),  # up is there first
    (GATE, UP, (Opcode.STORE, dict(source=StoreSource.SUMS, count=1, rows=1, accumulator=19)), GATED),
    (GATE, UP, GATE, GATED),  # another gate than that before up
    (GATE, UP, (GATED[0], GATED[1] | dict(gate_accumulator=1)), GATED),
    (GATE, UP),
    (GATE, UP, (GATED[0], GATED[1] | dict(rows=1))),
    (GATE, (UP[0], UP[1] | dict(outputs=11)), (GATED[0], GATED[1] | dict(up_accumulator=11))),
], ids=["late gate", "stored", "gate again", "two gates", "unread", "a row for later", "up's place"])
def test_sums_that_something_else_takes_are_all_there(program):
    assert not skips_of(described(*program), 1)


def test_words_of_padding_belong_to_no_product():
    """What a product names but doesn't write, over the sums of up: words of five sums."""
    gate, up = (GATE[0], GATE[1] | dict(accumulator=4)), (UP[0], UP[1] | dict(accumulator=2))
    gated = GATED[0], GATED[1] | dict(gate_accumulator=4, up_accumulator=2)
    below = Opcode.MATMUL, dict(outputs=20, padding=10, rows=2)
    assert skips_of(described(gate, up, below, gated), 5).keys() == {1}
    assert skips_of(described(gate, up, (below[0], below[1] | dict(padding=20)), gated), 5).keys() == {1}


@every_path
def test_lists_stay_within_their_memory(path, rng):
    """A small machine's, of all rows and of all columns but one."""
    size, guard = 70, 512
    unit = UnitMachine(path, rows=1, channels=size, sums=2 * size, tokens=1, memory=1 << 17, threads=1)
    buffers = unit.machine._buffers
    wide = np.full(buffers.wide_channels + guard, -1)
    buffers._kept["wide"] = wide
    buffers.attach(unit.machine._state)
    gate = np.ones((size, size), np.int8)
    gate[0] = -1
    activations(unit, np.full((1, size), 127))
    unit.add_matmul(gate, 1)
    unit.add_matmul(gate, 1, accumulator=size)
    unit.add(Opcode.NORM, source=NormSource.GATED, count=size, rows=1, gain=ONE, up_accumulator=size, gate_scale=ONE,
             up_scale=ONE)
    unit.add_matmul(gate, 1)
    unit.add(Opcode.RESIDUAL, rows=1, count=size, scale=ONE)
    unit.run()
    assert unit.machine.weights_read.read < unit.machine.weights_read.all
    assert (wide[-guard:] == -1).all()


@compiled
@pytest.mark.parametrize("config", FAMILIES.values(), ids=lambda config: config.name)
@pytest.mark.parametrize("zeros", [None, 0.8])
def test_a_model_gives_the_same_bits(config, zeros):
    """Logits, best tokens, caches and counters, with invalid bytes among the weights; several rows and one."""
    model = synthetic_model(config, 3, zeros=zeros)
    linears = model.layers[0].linears
    damaged = {name: replace(linears[name], packed=linears[name].packed.copy()) for name in ("up", "down")}
    for matrix in damaged.values():
        matrix.packed[[0, 5, -1], [0, 3, 2]] = 243, 255, 250
    model.layers = [Layer(linears | damaged, model.layers[0].gains), *model.layers[1:]]
    found = {}
    for path, skip in [(NUMPY, True), *((path, skip) for path in native_paths() for skip in (False, True))]:
        session = Session(model, EmulatorDevice(CPU, kernels=path, threads=2, skip=skip))
        logits = np.concatenate([session.score([1, 2, 3]), *(session.score([token]) for token in range(4, 9))])
        top = session.decode(9)
        bits = [logits, top.ids, top.logits, *session.cache(config.layers - 1).values()]
        counted = session.counters
        read = counted.weight_bytes_read
        assert read == counted.weight_bytes if path == NUMPY or not skip else read < counted.weight_bytes
        counts = [counted.zeros, counted.activations, session.saturations, session.device.get("INVALID_TRITS")]
        assert counts[3] == 7 * 6
        found[path, skip] = bits, counts
    first = found[NUMPY, True]
    for other in found.values():
        assert all((a == b).all() for a, b in zip(first[0], other[0], strict=True)) and first[1] == other[1]


@compiled
@pytest.mark.parametrize("path", native_paths())
def test_rows_of_which_some_take_up_before_their_gate(path):
    """A fabric's build takes the last product of one group of rows for the next group too."""
    config = replace(FAMILIES["relu2 grouped heads"], hidden_size=4, ffn_size=4, head_dim=8, sub_norms=False, layers=1)
    model = synthetic_model(config)
    dense, sparse = (Session(model, EmulatorDevice(TINY, kernels=path, threads=1, skip=skip)) for skip in (False, True))
    for ids in np.arange(20).reshape(4, 5):
        tops = zip(*(session.advance([(0, ids)]) for session in (dense, sparse)), strict=True)
        assert all((a.ids == b.ids).all() and (a.logits == b.logits).all() for a, b in tops)
    assert sparse.counters.weight_bytes_read < dense.counters.weight_bytes_read


@compiled
@given(cases(tokens_max=TOKENS_MAX), plans(), st.data())
@settings(max_examples=10, deadline=None, derandomize=True)
def test_any_small_model_gives_the_same_bits(case, plan, data):
    check_dense(case, plan, data)


@compiled
@pytest.mark.slow
@given(cases(layers_max=3, size_max=700, tokens_max=TOKENS_MAX), plans(), st.data())
@settings(max_examples=100, deadline=None, database=None, print_blob=True)
def test_any_model_gives_the_same_bits(case, plan, data):
    check_dense(case, plan, data)


def few(x, unit):
    """A stage that leaves a channel in four."""
    return np.where(np.arange(x.shape[-1]) % 4, 0, x)


def check_dense(case, plan, data):
    """Passes of several sequences, with masks at any points: all weights against those that are needed."""
    model, taps = model_of(case), taps_of(case)
    points = data.draw(st.lists(st.sampled_from(points_of(case.config)), max_size=3, unique=True))
    build = replace({"rows": CPU, "tiles": TINY}[case.build], kv_bits=case.kv_bits)
    ids = np.random.default_rng(case.seed + 3).integers(0, case.config.vocab_size, (plan.sequences, TOKENS_MAX))
    for path in native_paths():
        note(f"kernels {path}")
        found = []
        for skip in (False, True):
            session = Session(model, EmulatorDevice(build, kernels=path, threads=case.threads, skip=skip),
                              taps={point: tap for point, tap in taps.items() if point not in points},
                              sequences=plan.sequences,
                              host_steps=HostSteps(model, stages={point: [few] for point in points}, taps=taps))
            bits = run(session, plan, ids)
            bits += [part for sequence, layer in np.ndindex(plan.sequences, case.config.layers)
                     for part in session.cache(layer, sequence).values()]
            found.append((bits, session.saturations, session.counters.zeros, session.counters.activations))
        equal(found[0][0], found[1][0])
        assert found[0][1:] == found[1][1:]
