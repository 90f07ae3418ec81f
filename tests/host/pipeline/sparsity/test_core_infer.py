"""CoreInfer: what a prompt's votes choose; pieces and neighbours change nothing; what is taken back is forgotten."""

from collections import Counter

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY
from host.engine.engine import Engine
from host.engine.request import Request
from host.pipeline.placement import acting_alone, host_steps, place
from host.pipeline.sequence_stage import SequenceRows, told_rows
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.core_infer import WINDOW, CoreInfer
from host.runtime import Session
from models.errors import ArtefactError
from models.golden.model import GoldenModel
from models.machine.build import CPU
from tests.families import FAMILIES
from tests.host.pipeline.sparsity.masks import model_of
from tests.host.test_commands import refused, run

FAMILY = "silu full heads"
PROMPT, ANSWER = [5, 7, 2, 9, 11, 3, 8], [4, 4, 6, 1]


def stage_of(share=0.6, alpha=0.4, trigger=0.0, layers=2):
    return CoreInfer({"shares": np.full(layers, share), "alpha": np.full(layers, alpha),
                      "trigger": np.full(layers, trigger)})


def session_of(stages, family=FAMILY, kernels="auto", **options):
    model = model_of(family)
    steps = host_steps(place(stages, model), model)
    return Session(model, EmulatorDevice(CPU, kernels=kernels), host_steps=steps, **options)


@pytest.mark.parametrize("family", FAMILIES)
def test_device_and_golden_model_agree(family):
    stage, model = stage_of(layers=FAMILIES[family].layers), model_of(family)
    acting = acting_alone([stage], model)
    golden, expected = GoldenModel(model, stages=acting.stages), []
    for at, token in enumerate(PROMPT + ANSWER):
        acting.begins[0]([SequenceRows(0, at, 1, int(at < len(PROMPT)))])
        expected.append(golden.step(token))
    for kernels in ("auto", NUMPY):
        session = session_of([stage], family, kernels)
        session.feed(PROMPT)
        assert (session.score(ANSWER) == expected[len(PROMPT):]).all()
    plain = Session(model, EmulatorDevice(CPU))
    plain.feed(PROMPT)
    assert (plain.score(ANSWER) != expected[len(PROMPT):]).any(axis=1).all()


def products(rng, rows):
    return rng.integers(-1000, 1000, (rows, 160)) * rng.integers(0, 2, (rows, 160))


def test_the_neurons_with_most_votes_of_the_prompt_stay(rng):
    stage, model, point = stage_of(0.7, 0.3), model_of(FAMILY), Point(1, Site.PRODUCT)
    x, more = products(rng, 9), products(rng, 3)
    stage.begin([SequenceRows(0, 0, 6, 6), SequenceRows(4, 0, 3, 2)])
    found = stage.apply(point, x, None, model)
    assert (found[:8] == x[:8]).all()
    stage.begin([SequenceRows(0, 6, 3, 0)])
    again = stage.apply(point, more, None, model)
    for rows, masked, prompt in ((more, again, x[:6]), (x[8:], found[8:], x[6:8])):
        votes = Counter()
        for row in prompt:
            active = np.count_nonzero(row)
            order = sorted(range(160), key=lambda channel, row=row: (-abs(row[channel]), channel))
            votes.update(order[:int(np.ceil(active * np.rint(0.3 * 2**16) / 2**16))])
        core = sorted(range(160), key=lambda channel, votes=votes: (-votes[channel], channel))[:48]
        assert (masked == np.where(np.isin(np.arange(160), core), rows, 0)).all()


def test_without_a_prompt_all_stay_and_a_dense_layer_has_no_point(rng):
    stage, x = stage_of(), products(rng, 4)
    stage.begin([SequenceRows(0, 0, 4, 0)])
    assert (stage.apply(Point(0, Site.PRODUCT), x, None, model_of(FAMILY)) == x).all()
    dense = CoreInfer({"shares": np.array([0, 0.5]), "alpha": np.ones(2), "trigger": np.zeros(2)})
    assert dense.points(model_of(FAMILY)) == [Point(1, Site.PRODUCT)]
    with pytest.raises(ValueError, match="CoreInfer was not told of these rows"):
        stage.apply(Point(0, Site.PRODUCT), x[:3], None, model_of(FAMILY))


def test_a_change_of_topic_has_them_chosen_again(rng):
    """One half of the neurons is active in the prompt, the other in what follows."""
    model, point = model_of(FAMILY), Point(0, Site.PRODUCT)
    first, other = np.zeros((2, 160), np.int64)
    first[:80], other[80:] = 500, 500
    for trigger, stays in ((0.5, True), (0.0, False)):
        stage = stage_of(0.5, 0.5, trigger)
        stage.begin([SequenceRows(0, 0, 3, 3)])
        stage.apply(point, np.tile(first, (3, 1)), None, model)
        kept = []
        for at in range(WINDOW + 2):
            stage.begin([SequenceRows(0, 3 + at, 1, 0)])
            kept.append(np.count_nonzero(stage.apply(point, other[None], None, model)))
        assert kept[:WINDOW - 1] == kept[:1] * (WINDOW - 1) and (kept[WINDOW] > kept[0]) == stays


@pytest.mark.parametrize("trigger", [0.0, 0.9])
def test_pieces_and_tokens_taken_back_change_nothing(trigger):
    answer = ANSWER * 9  # longer than two windows
    whole = session_of([stage_of(trigger=trigger)])
    whole.feed(PROMPT)
    expected = whole.score(answer)
    pieces = session_of([stage_of(trigger=trigger)], sequences=2)
    pieces.feed(PROMPT[:3])
    pieces.feed(answer[:5], sequence=1)
    pieces.feed(PROMPT[3:])
    found = [pieces.score(answer[:20])]
    pieces.score([1, 2, 3])
    pieces.position -= 3
    for token in answer[20:]:
        both = pieces.score_parts([(1, [token]), (0, [token])])
        found.append(both[1:])
    assert (np.concatenate(found) == expected).all()
    whole.reset()
    whole.feed(PROMPT)
    assert (whole.score(answer) == expected).all()


def test_rows_are_told_by_what_a_pass_wants():
    parts, positions = [(2, 3), (0, 4), (1, 1)], [10, 20, 30]
    assert told_rows("decode", parts, positions, 6) == [(2, 30, 3, 3), (0, 10, 4, 3), (1, 20, 1, 0)]
    assert told_rows("prefill", parts[:1], positions, 0) == [(2, 30, 3, 3)]
    assert told_rows("next", parts[:1], positions, 0) == [(2, 30, 3, 2)]
    assert told_rows("score", parts[:1], positions, 0) == [(2, 30, 3, 0)]


@pytest.mark.parametrize("own", [True, False])
def test_a_request_gets_what_it_would_get_alone(own):
    """Whether all requests have the stage or each its own; a cache that another has filled is not taken over."""
    stage = stage_of(0.95, 0.2)

    def by_logit(top, ids):  # the best token of a model of noise is always the same
        return int(top.logits[0]) % 130

    def asked(engine, *prompts):
        replies = [engine.add(Request(ids=prompt, limit=6, sampler=by_logit, ends=(),
                                      stages=(stage,) if own else ())) for prompt in prompts]
        for _ in engine.run():
            pass
        return [reply.ids for reply in replies]

    def engine_of(sequences):
        return Engine(session_of([] if own else [stage], sequences=sequences))

    alone = [asked(engine_of(1), prompt)[0] for prompt in (PROMPT, PROMPT + ANSWER)]
    engine = engine_of(2)
    assert asked(engine, PROMPT, PROMPT + ANSWER) == alone and asked(engine, PROMPT + ANSWER, PROMPT) == alone[::-1]
    session = session_of([stage])
    ids = [by_logit(session.prefill(PROMPT), ())]
    while len(ids) < 6:
        ids.append(by_logit(session.decode(ids[-1]), ids))
    plain = Engine(session_of([])).complete(Request(ids=PROMPT, limit=6, sampler=by_logit, ends=())).ids
    assert ids == alone[0] != plain


def test_the_command_and_what_is_refused(texts, capsys):
    fit = ("fit", "--kind", "sparsity", "--method", "core-infer", "--text", texts / "austen.txt", "-o", texts / "core")
    found = run(pipeline, *fit, "--sparsity", 0.6, "--json", capsys=capsys)
    assert found["fit"]["dense"] == 1 and found["tensors"]["shares"]["max"] == pytest.approx(0.6)
    for option, message in (("--alpha", "--alpha must lie between 0 and 1, got 2.0"),
                            ("--dense", "--dense must lie between 0 and 5, got 6")):
        assert message in refused(pipeline, *fit, option, {"--alpha": 2, "--dense": 6}[option], capsys=capsys)
    for name in ("shares", "alpha", "trigger"):
        with pytest.raises(ArtefactError, match=f"tensor {name}: expected none above 1, found 1.5"):
            CoreInfer.load({**stage_of().tensors, name: np.full(2, 1.5)})
