"""Sessions that score a shortlist: golden bits by every kernel, whatever the build, the vocabulary and the rows."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY, native_paths
from host.emulator.shortlists import Shortlists
from host.engine.engine import Engine
from host.engine.request import Request
from host.runtime import Session
from host.sampler import Sampler
from host.speculation import PromptLookup
from hw.boards.registry import BUILDS
from models.errors import DeviceError
from models.golden.head import top_k
from models.golden.model import GoldenModel
from models.machine.build import CPU, SHORTLIST
from models.machine.descriptor import DESCRIPTOR_BYTES, Opcode, unpack
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.emulator.foreign import move_to_foreign
from tests.host.emulator.native_units import PATHS
from tests.host.emulator.test_properties import TINY, Case, cases, model_of, taps_of

TEST_BUILDS = {"sim-tiny": BUILDS["sim-tiny"], "kv260": BUILDS["kv260"], "cpu": CPU}
builds = pytest.mark.parametrize("build", TEST_BUILDS.values(), ids=TEST_BUILDS)
TOKENS = 20


@dataclass(frozen=True)
class Plan:
    """vocab and the rows that are equal to their neighbour; passes: (sequence, tokens) of the parts of each."""

    vocab: int
    ties: int
    inputs_max: int  # of the build: what limits a chunk
    top_k: int
    sequences: int
    passes: tuple[tuple[tuple[int, int], ...], ...]


@st.composite
def plans(draw):
    sequences = draw(st.integers(1, 3))
    passes, used = [], [0] * sequences
    for _ in range(draw(st.integers(1, 3))):
        order = draw(st.permutations(range(sequences)))[:draw(st.integers(1, sequences))]
        parts = tuple((sequence, draw(st.integers(1, 4))) for sequence in order)
        for sequence, rows in parts:
            used[sequence] += rows
        if max(used) <= TOKENS:
            passes.append(parts)
    return Plan(draw(st.one_of(st.integers(1, 70), st.integers(100, 700))), draw(st.integers(0, 100)),
                draw(st.sampled_from([0, 60, 160])), draw(st.sampled_from([2, 16, 128])), sequences, tuple(passes))


def check(case: Case, plan: Plan, paths: list[str]) -> None:
    case = replace(case, config=replace(case.config, vocab_size=plan.vocab))
    model, taps, rng = model_of(case), taps_of(case), np.random.default_rng(case.seed + 5)
    tied = rng.integers(0, plan.vocab, plan.ties)
    model.head, model.head_scales = model.head.copy(), model.head_scales.copy()
    model.head[tied - 1], model.head_scales[tied - 1] = model.head[tied], model.head_scales[tied]
    widest = max(inputs for _, inputs in case.config.linear_shapes.values())
    build = {"rows": CPU, "tiles": TINY}[case.build]
    build = replace(build, kv_bits=case.kv_bits, top_k=plan.top_k, inputs_max=max(widest, plan.inputs_max))
    ids = rng.integers(0, plan.vocab, (plan.sequences, TOKENS))
    golden = [GoldenModel(model, kv_bits=case.kv_bits, taps=taps) for _ in ids]
    expected = [[top_k(logits, plan.top_k, listed) for parts in plan.passes for s, rows in parts if s == n
                 for listed, logits in (golden[n].step_listed(int(ids[n][golden[n].position])) for _ in range(rows))]
                for n in range(plan.sequences)]
    for path in paths:
        note(f"kernels {path}")
        foreign = path not in (*native_paths(), NUMPY)
        device = EmulatorDevice(build, kernels="portable" if foreign else path, threads=case.threads)
        session = Session(model, device, taps=taps, sequences=plan.sequences, head="shortlist")
        if foreign:
            move_to_foreign(device.machine, path)
        for parts in plan.passes:
            at = list(session.positions)
            tops = session.advance([(s, ids[s, at[s]:at[s] + rows]) for s, rows in parts])
            wanted = [expected[s][at[s] + row] for s, rows in parts for row in range(rows)]
            for top, (best, logits) in zip(tops, wanted, strict=True):
                assert top.ids.tolist() == best.tolist() and top.logits.tolist() == logits.tolist()
        assert session.saturations == sum(g.saturations for g in golden)


@given(cases(tokens_max=TOKENS), plans())
@settings(max_examples=12, deadline=None, derandomize=True)
def test_any_small_model_equals_the_golden_model(case, plan):
    check(case, plan, [*native_paths(), NUMPY])


@pytest.mark.slow
@given(cases(layers_max=3, size_max=700, tokens_max=TOKENS), plans())
@settings(max_examples=100, deadline=None, database=None, print_blob=True)
def test_any_model_equals_the_golden_model(case, plan):
    check(case, plan, [*PATHS, NUMPY])


@builds
@pytest.mark.parametrize("vocab", [1, 63, 64, 65, 1521, 3041])
def test_vocabularies_around_a_list_and_a_chunk(build, vocab):
    model = synthetic_model(replace(FAMILIES["one head"], vocab_size=vocab), seed=2)
    ids = np.random.default_rng(0).integers(0, vocab, 4)
    golden = GoldenModel(model)
    expected = [top_k(logits, min(build.top_k, SHORTLIST), listed)
                for listed, logits in (golden.step_listed(int(i)) for i in ids)]
    for kernels in ("auto", NUMPY):
        session = Session(model, EmulatorDevice(build, kernels=kernels), head="shortlist")
        for token, (best, logits) in zip(ids, expected, strict=True):
            top = session.decode(int(token))
            assert top.ids.tolist() == best.tolist() and top.logits.tolist() == logits.tolist()
            assert len(best) == min(build.top_k, SHORTLIST, vocab)


@builds
def test_a_vocabulary_no_longer_than_the_list_gives_the_exact_best(build):
    model = synthetic_model(replace(FAMILIES["llama plain"], vocab_size=SHORTLIST), seed=3)
    exact, listed = (Session(model, EmulatorDevice(build), head=head) for head in ("exact", "shortlist"))
    ids = np.random.default_rng(0).integers(0, SHORTLIST, 20)
    for method in (Session.prefill, Session.decode):
        given_ids = ids if method == Session.prefill else int(ids[0])
        one, other = method(exact, given_ids), method(listed, given_ids)
        assert one.ids.tolist() == other.ids.tolist() and one.logits.tolist() == other.logits.tolist()


@builds
def test_a_prompt_in_one_piece_equals_decoding(build):
    model = synthetic_model(replace(FAMILIES["silu full heads"], vocab_size=300), seed=4)
    ids = np.random.default_rng(0).integers(0, 300, 21).tolist()
    whole, single = (Session(model, EmulatorDevice(build), head="shortlist") for _ in range(2))
    top = whole.prefill(ids)
    for token in ids:
        last = single.decode(token)
    assert top.ids.tolist() == last.ids.tolist() and top.logits.tolist() == last.logits.tolist()


@given(st.lists(st.lists(st.integers(-2, 2), min_size=1, max_size=60), min_size=1, max_size=4), st.integers(1, 64))
def test_a_list_in_pieces_is_the_sorted_whole(pieces, k):
    lists, first, scores = Shortlists(), 0, [score for piece in pieces for score in piece]
    for piece in ([9, 9], *pieces):  # a list from before
        first = 0 if piece is pieces[0] else first
        lists.offer(3, first, np.array(piece), k, begin=first == 0)
        first += len(piece)
    found = lists.of(3)
    assert found.ids.tolist() == sorted(range(len(scores)), key=lambda n: (-scores[n], n))[:k]
    assert found.scores.tolist() == [scores[n] for n in found.ids] and found.offered == len(scores)


@pytest.mark.parametrize("kernels", ["auto", NUMPY])
def test_equals_are_listed_and_ranked_by_their_ids(kernels):
    """Rows of four kinds, the best of which fill the list and go on behind it."""
    model = synthetic_model(replace(FAMILIES["one head"], vocab_size=400), seed=9)
    model.head, model.head_scales = model.head[np.arange(400) % 4], model.head_scales[np.arange(400) % 4]
    build = replace(CPU, inputs_max=64)  # in seven chunks
    exact, listed = (Session(model, EmulatorDevice(build, kernels=kernels), head=head)
                     for head in ("exact", "shortlist"))
    for token in range(8):
        one, other = exact.decode(token), listed.decode(token)
        assert len(one.ids) == 128 and len(other.ids) == SHORTLIST
        kind = int(one.ids[0])
        assert one.ids[:100].tolist() == list(range(kind, 400, 4))
        if other.ids[0] == kind:  # else the copy prefers another kind
            assert other.ids.tolist() == one.ids[:SHORTLIST].tolist()
        assert other.ids.tolist() == list(range(int(other.ids[0]), 400, 4))[:SHORTLIST] and other.ids[0] < 4


def test_scoring_takes_the_logits_of_all_rows():
    model = synthetic_model(replace(FAMILIES["llama plain"], vocab_size=300), seed=5)
    ids = np.random.default_rng(0).integers(0, 300, 9)
    exact, listed = (Session(model, EmulatorDevice(CPU), head=head) for head in ("exact", "shortlist"))
    assert (exact.score(ids) == listed.score(ids)).all()


@pytest.mark.parametrize("kernels", ["auto", NUMPY])
def test_drafts_change_no_token(kernels):
    model = synthetic_model(replace(FAMILIES["relu2 grouped heads"], vocab_size=500, context=128), seed=6)
    session = Session(model, EmulatorDevice(TEST_BUILDS["kv260"], kernels=kernels), head="shortlist")
    prompt, spoken = [5, 6, 7] * 4, []
    for drafts in (None, PromptLookup(7)):
        spoken.append(Engine(session).complete(Request(prompt, Sampler(0), 40, ends=(), drafts=drafts)))
    assert spoken[0].ids == spoken[1].ids and spoken[1].passes < 39


def test_a_batch_gives_each_prompt_what_it_gives_alone():
    model = synthetic_model(replace(FAMILIES["one head"], vocab_size=500), seed=7)
    prompts = [[1, 2, 3], [400], [7, 8, 9, 10, 11]]
    session = Session(model, EmulatorDevice(TEST_BUILDS["kv260"]), sequences=3, head="shortlist")
    engine = Engine(session)
    together = [engine.add(Request(prompt, Sampler(0), 12, ends=())) for prompt in prompts]
    assert sum(1 for _ in engine.run()) < 3 * 12
    for reply in together:
        alone = Engine(Session(model, EmulatorDevice(TEST_BUILDS["kv260"]), head="shortlist"))
        assert reply.ids == alone.complete(Request(reply.request.ids, Sampler(0), 12, ends=())).ids


@pytest.mark.parametrize("kernels", ["auto", NUMPY])
@pytest.mark.parametrize("broken", ["a list of a row that has none", "logits of all rows from a list"])
def test_a_list_that_is_not_there_stops_the_device(kernels, broken):
    model = synthetic_model(replace(FAMILIES["one head"], vocab_size=100), seed=8)
    session = Session(model, EmulatorDevice(CPU, kernels=kernels), head="shortlist")
    item = session.program.get_passes("decode", 1)[0]
    opcode, name, value = {"a": (Opcode.STREAM, "row", 3), "l": (Opcode.LOGITS, "listed", 0)}[broken[0]]
    for start in range(item.offset, item.offset + item.count * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES):
        found = unpack(session.buffer.array[start:start + DESCRIPTOR_BYTES].tobytes())
        if found.opcode == opcode and found.listed:
            changed = found.packed(**{name: value})
            session.buffer.array[start:start + DESCRIPTOR_BYTES] = np.frombuffer(changed, np.uint8)
    with pytest.raises(DeviceError, match="device emulator stopped: a bad descriptor"):
        session.decode(1)
