"""All logits of a pass: the best of them, biases, log-probabilities; and the engine's promises where some want them."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.engine.engine import Engine
from host.engine.logits import FORBIDDEN, LogitBias, best_of, token_score
from host.engine.reply import Finish
from host.engine.request import Request
from host.runtime import Session
from host.sampler import Sampler
from host.scoring import token_losses
from host.speculation import PromptLookup
from hw.boards.registry import BUILDS
from models.errors import OptionError
from models.golden.head import top_k
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES

MODEL = synthetic_model(FAMILIES["relu2 grouped heads"], seed=1)


def session_of(build=CPU, **options):
    return Session(MODEL, EmulatorDevice(build, threads=1), **options)


def request(ids, seed=0, **options):
    return Request(ids, Sampler(0.9, seed=seed), 12, **{"ends": (), **options})


def alone(request_):
    return Engine(session_of()).complete(request_)


def test_the_best_are_the_device_s_with_the_lower_id_first(rng):
    for _ in range(50):
        logits = rng.integers(-3, 4, 40)
        for k in (1, 5, 39, 40, 64):
            ids, values = top_k(logits, k)
            best = best_of(logits, k)
            assert best.ids.tolist() == ids.tolist() and best.logits.tolist() == values.tolist()


def test_what_is_forbidden_is_never_among_the_best(rng):
    logits = rng.integers(-9, 9, 40)
    logits[5:] = FORBIDDEN
    assert sorted(best_of(logits, 16).ids) == [0, 1, 2, 3, 4]
    logits[:] = FORBIDDEN
    assert not best_of(logits, 16).ids.size


def test_scores_are_natural_logarithms_of_probabilities(rng):
    logits = rng.integers(-9 << 16, 9 << 16, 40)
    score = token_score(logits, 7, 3)
    assert score.logprob == pytest.approx(-token_losses(logits[None], np.array([7]))[0])
    assert [token for token, _ in score.best] == top_k(logits, 3)[0].tolist()
    assert sum(np.exp(token_score(logits, token, 0).logprob) for token in range(40)) == pytest.approx(1)
    assert token_score(logits, 7, 0).best == ()


def test_a_bias_adds_to_logits(rng):
    logits = rng.integers(-9, 9, 40)
    found = LogitBias({3: 2.5, 4: -100}, 40)(logits.copy(), [])
    assert found[3] - logits[3] == 5 << 15 and found[4] - logits[4] == -100 << 16
    assert np.count_nonzero(found != logits) == 2
    with pytest.raises(OptionError, match="^token id 40 is outside the vocabulary of 40$"):
        LogitBias({40: 1.0}, 40)


@pytest.mark.parametrize(("build", "drafts"), [(CPU, 3), (BUILDS["sim-tiny"], 0)])
def test_who_wants_all_logits_changes_nothing_for_others_nor_for_itself(build, drafts):
    """Prompts in pieces, drafts, a bias and log-probabilities side by side."""
    prompts = [[1, 2, 3, 1, 2, 3, 1, 2], list(range(40)), [9], [5, 6, 7, 8]]
    kinds = [{}, {"logprobs": 2, "prompt_logprobs": True}, {"edit": LogitBias({11: 100.0}, 130)},
             {"logprobs": 0, "drafts": PromptLookup(drafts) if drafts else None}]
    engine = Engine(session_of(build, sequences=3))
    replies = [engine.add(request(ids, seed, **kind)) for seed, (ids, kind) in enumerate(zip(prompts, kinds,
                                                                                         strict=True))]
    for _ in engine.run():
        pass
    for seed in (0, 1, 3):
        plain = Engine(session_of(build)).complete(request(prompts[seed], seed))
        assert replies[seed].ids == plain.ids
    biased = Engine(session_of(build)).complete(request(prompts[2], 2, edit=LogitBias({11: 100.0}, 130)))
    assert replies[2].ids == biased.ids != alone(request(prompts[2], 2)).ids


def test_scores_of_prompt_and_reply_are_those_of_the_model():
    prompt = list(range(100, 130)) + [1, 2, 3]
    engine = Engine(session_of(sequences=2))
    engine.session.rows = 7
    other = engine.add(request([4, 5, 6], 1))
    engine.complete(request(prompt[:20], 3))  # its cache is of no use to who wants all
    reply = engine.complete(request(prompt, 2, logprobs=3, prompt_logprobs=True, drafts=PromptLookup(2)))
    ids = [*prompt, *reply.ids]
    expected = -token_losses(session_of().score(ids), np.array(ids[1:]))
    scores = [*reply.prompt_scores, *reply.scores]
    assert [score.token for score in scores] == ids[1:] and reply.cached == 0
    assert [score.logprob for score in scores] == pytest.approx(expected)
    assert all(len(score.best) == 3 for score in scores) and other.scores == other.prompt_scores == []


def test_a_request_that_may_say_nothing_more_ends():
    def only_twice(logits, history):
        if len(history) == 3:
            logits[:] = FORBIDDEN
        return logits

    reply = alone(request([1], edit=only_twice))
    assert reply.finish == Finish.END and len(reply.ids) == 2


def test_a_shortlist_has_not_all_logits():
    engine = Engine(session_of(BUILDS["sim-tiny"], head="shortlist"))
    for options in ({"logprobs": 0}, {"prompt_logprobs": True}, {"edit": LogitBias({1: 1.0}, 130)}):
        with pytest.raises(OptionError, match="need --head exact, but it is shortlist"):
            engine.add(request([1], **options))
    assert engine.complete(request([1])).ids
