"""Rows of one pass that belong to several sequences: each sequence gets the golden model's bits, as if alone."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from host.compiler.program import PASS_KINDS, Program
from host.compiler.rows import Part
from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY, native_paths
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.errors import OptionError
from models.golden.head import top_k
from models.golden.model import GoldenModel
from models.machine.build import CPU
from models.machine.descriptor import DESCRIPTOR_BYTES, NormSource, Opcode, unpack
from models.machine.registers import SEQUENCES, position_register
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.compiler.listing import assert_semaphores_hold, listed
from tests.host.emulator.foreign import move_to_foreign
from tests.host.emulator.native_units import PATHS
from tests.host.emulator.test_properties import TINY, Case, cases, model_of, taps_of

TOKENS_MAX = 24


@dataclass(frozen=True)
class Plan:
    """passes: kind, (sequence, tokens) of each part, the first row with a head where it decodes."""

    sequences: int
    passes: tuple[tuple[str, tuple[tuple[int, int], ...], int], ...]


@st.composite
def plans(draw):
    sequences = draw(st.sampled_from([1, 2, 3, SEQUENCES]))
    passes, used = [], [0] * sequences
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["prefill", "next", "decode", "score"]))
        order = draw(st.permutations(range(sequences)))[:4]
        parts = [(sequence, draw(st.integers(1, 5))) for sequence in order]
        for sequence, rows in parts:
            used[sequence] += rows
        if max(used) <= TOKENS_MAX and sum(rows for _, rows in parts) <= TINY.slots:
            headless = draw(st.integers(0, sum(rows for _, rows in parts))) if draw(st.booleans()) else 0
            passes.append((kind, tuple(parts), headless))
        else:
            break
    return Plan(sequences, tuple(passes) or (("score", ((0, 1),), 0),))


def check(case: Case, plan: Plan, paths: list[str]) -> None:
    model, taps = model_of(case), taps_of(case)
    build = replace({"rows": CPU, "tiles": TINY}[case.build], kv_bits=case.kv_bits)
    rng, vocab = np.random.default_rng(case.seed + 3), case.config.vocab_size
    ids = rng.integers(0, vocab, (plan.sequences, TOKENS_MAX))
    lengths = [sum(rows for _, parts, _ in plan.passes for s, rows in parts if s == sequence)
               for sequence in range(plan.sequences)]
    golden = [GoldenModel(model, kv_bits=case.kv_bits, taps=taps) for _ in lengths]
    logits = [[g.step(int(i)) for i in ids[s, :n]] for s, (g, n) in enumerate(zip(golden, lengths, strict=True))]
    for path in paths:
        note(f"kernels {path}")
        foreign = path not in (*native_paths(), NUMPY)
        device = EmulatorDevice(build, kernels="portable" if foreign else path, threads=case.threads)
        session = Session(model, device, taps=taps, sequences=plan.sequences)
        if foreign:
            move_to_foreign(device.machine, path)
        for kind, parts, head_from in plan.passes:
            given_ids = [(s, ids[s, session.positions[s]:session.positions[s] + rows]) for s, rows in parts]
            expected = [logits[s][session.positions[s] + row] for s, rows in parts for row in range(rows)]
            if kind == "prefill":
                session.run_pass("prefill", given_ids)
            elif kind == "score":
                assert (session.score_parts(given_ids) == np.stack(expected)).all()
            else:
                if kind == "decode":
                    found, expected = session.advance(given_ids, head_from), expected[head_from:]
                else:
                    session.run_pass("next", given_ids)
                    found, expected = session._best(1), expected[-1:]
                for top, values in zip(found, expected, strict=True):
                    best, best_values = top_k(values, build.top_k)
                    assert (top.ids == best).all() and (top.logits == best_values).all()
        assert session.saturations == sum(g.saturations for g in golden)
        for sequence, length in enumerate(lengths):
            for layer, cache in enumerate(golden[sequence].caches if length else ()):
                for name, found in session.cache(layer, sequence).items():
                    assert (found == np.stack(getattr(cache, name), axis=1)).all(), (sequence, name)


@given(cases(tokens_max=TOKENS_MAX), plans())
@settings(max_examples=12, deadline=None, derandomize=True)
def test_sequences_of_any_small_model_equal_the_golden_model(case, plan):
    check(case, plan, [*native_paths(), NUMPY])


@pytest.mark.slow
@given(cases(layers_max=3, size_max=700, tokens_max=TOKENS_MAX), plans())
@settings(max_examples=100, deadline=None, database=None, print_blob=True)
def test_sequences_of_any_model_equal_the_golden_model(case, plan):
    check(case, plan, [*PATHS, NUMPY])


@pytest.mark.parametrize("head", ["exact", "shortlist"])
def test_rows_without_a_head_come_first(head):
    """From the last row on it is the list of "next"; from the first, that of any pass of decoding."""
    model, parts = synthetic_model(FAMILIES["relu2 grouped heads"], seed=0), (Part(1, 5), Part(0, 2), Part(2, 1))
    build = replace(BUILDS["sim-tiny"], rows=8, row_batches=1, head_rows=4)
    program = Program(model, build, rows=8, sequences=3, head=head)
    memory = np.zeros(program.size, np.uint8)
    program.write(memory, 0)

    def given(kind, *head_from):
        item = program.get_passes(kind, 8, parts, *head_from)[0]
        return memory[item.offset:item.offset + item.count * DESCRIPTOR_BYTES].tobytes()

    assert given("decode", 7) == given("next") != given("decode") == given("decode", 0)
    for head_from in range(8):
        listing = [unpack(given("decode", head_from)[at:at + DESCRIPTOR_BYTES])
                   for at in range(0, len(given("decode", head_from)), DESCRIPTOR_BYTES)]
        assert_semaphores_hold(listing)
        scored = [row for fields in listing if fields.opcode == Opcode.LOGITS
                  for row in range(fields.first_row, fields.first_row + fields.rows)]
        assert scored == list(range(head_from, 8))


def descriptors(kind, parts, sequences=SEQUENCES):
    build = replace(BUILDS["sim-tiny"], rows=8, row_batches=8, head_rows=4)
    program = Program(synthetic_model(FAMILIES["relu2 grouped heads"], seed=0), build, rows=64, sequences=sequences)
    return program, listed(program, kind, sum(part.rows for part in parts), parts)


@pytest.mark.parametrize("kind", PASS_KINDS)
def test_semaphores_of_a_pass_of_all_sequences(kind):
    assert_semaphores_hold(descriptors(kind, tuple(Part(s, 1 + s % 3) for s in range(SEQUENCES)))[1])


def test_only_what_looks_along_a_sequence_is_listed_for_each():
    parts = (Part(3, 2), Part(0, 1), Part(7, 4))
    found = {}
    for fields in descriptors("decode", parts)[1]:
        if (opcode := fields.opcode) in (Opcode.KEY, Opcode.VALUE, Opcode.ATTEND):
            found.setdefault(opcode, []).append((fields.sequence, fields.first_row, fields.rows))
            assert fields.token == (fields.first_row == 4)  # sequence 7 goes on in another block
        elif opcode == Opcode.NORM and fields.source == NormSource.ATTENTION:
            assert (fields.first_row, fields.rows) in ((0, 4), (4, 3))
        elif opcode == Opcode.LOGITS or opcode == Opcode.NORM and fields.levels16:
            assert (fields.first_row, fields.rows) in ((0, 4), (4, 3))
        elif fields.has("rows"):
            assert (fields.first_row, fields.rows) == (0, 7)
    layers = FAMILIES["relu2 grouped heads"].layers
    assert found == {opcode: [(3, 0, 2), (0, 2, 1), (7, 3, 1), (7, 4, 3)] * layers
                     for opcode in (Opcode.KEY, Opcode.VALUE, Opcode.ATTEND)}


def test_caches_do_not_overlap():
    program, items = descriptors("decode", tuple(Part(s, 1) for s in range(SEQUENCES)))
    kv = program.memory.kv
    starts = sorted({fields.key_scales for fields in items if fields.opcode == Opcode.ATTEND})
    assert all(b - a >= kv.layer_bytes for a, b in zip(starts, starts[1:], strict=False))
    assert len(starts) == SEQUENCES * FAMILIES["relu2 grouped heads"].layers


def test_one_sequence_takes_one_cache_and_one_position_register():
    model = synthetic_model(FAMILIES["one head"], seed=1)
    one, two = (Program(model, CPU, rows=4, sequences=sequences) for sequences in (1, 2))
    assert two.size >= one.size + one.memory.kv.layer_bytes
    session, written = Session(model, EmulatorDevice(CPU)), []
    write = session.device.write_register
    session.device.write_register = lambda offset, value: (written.append(offset), write(offset, value))
    session.decode(1)
    assert [position_register(0), position_register(3)] == ["POSITION", "POSITION_3"]
    assert 0x20 in written and not any(offset >= 0x80 for offset in written)


@pytest.mark.parametrize("sequences", [0, SEQUENCES + 1])
def test_a_count_of_sequences_out_of_range_is_refused(sequences):
    with pytest.raises(OptionError, match=f"^sequences must be 1 to 16, got {sequences}$"):
        Session(synthetic_model(FAMILIES["one head"], seed=1), EmulatorDevice(CPU), sequences=sequences)


def test_more_rows_than_a_pass_takes_are_refused():
    session = Session(synthetic_model(FAMILIES["one head"], seed=1), EmulatorDevice(CPU), sequences=2)
    session.rows = 3
    with pytest.raises(OptionError, match="^a pass of 4 rows exceeds the 3 of device emulator with build cpu$"):
        session.advance([(0, [1, 2]), (1, [3, 4])])
    assert session.positions == [0, 0]


def test_a_full_cache_names_its_own_position():
    session = Session(synthetic_model(FAMILIES["one head"], seed=1), EmulatorDevice(CPU), sequences=2)
    session.feed([1] * 63, sequence=1)
    session.advance([(0, [1]), (1, [2])])
    with pytest.raises(OptionError, match="context is full: 64 tokens are in it and 1 more"):
        session.advance([(0, [1]), (1, [2])])
    assert session.positions == [1, 64]
