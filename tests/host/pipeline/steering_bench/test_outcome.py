"""What a stage writes and costs: nothing at strength 0, and the judge hears what a push toward a manner does."""

import numpy as np
import pytest

from host.pipeline.steering.difference_of_means import DifferenceOfMeans, difference_of_means
from host.pipeline.steering_bench.outcome import Bench
from tests.host.pipeline.steering_bench.texts import MODEL, material, write_texts


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return material(write_texts(tmp_path_factory.mktemp("texts")), prompts=6, windows=1)


@pytest.fixture(scope="module")
def vectors(found):
    return DifferenceOfMeans({"vectors": difference_of_means(*found.contrast.states, [2, 3])})


def test_strength_zero_moves_and_costs_nothing(found, vectors):
    bench = Bench(MODEL, found, tokens=6)
    outcome = bench([vectors.with_strength(0.0)])
    assert outcome.texts == bench.plain_texts and tuple(outcome.cost) == (1.0, 1.0)
    assert (outcome.shift, outcome.shift_error, outcome.broken, outcome.repeated) == (0, 0, 0, 0)
    assert outcome.success == bench.plain_success


@pytest.mark.parametrize("reverse", [False, True])
def test_a_push_is_heard_in_either_direction(found, vectors, reverse):
    bench = Bench(MODEL, found, reverse=reverse, tokens=12)
    sign = -1 if reverse else 1
    there, back = (bench([vectors.with_strength(sign * strength)]) for strength in (0.4, -0.4))
    assert there.shift > max(0, back.shift + 0.3) and there.success > back.success
    assert there.cost.both != 1
    assert bench.target is (found.away if reverse else found.toward)
    assert len(bench.prompts()) == len(there.texts) == 6


def test_errors_are_those_of_the_prompts(found, vectors):
    bench = Bench(MODEL, found, tokens=6)
    outcome = bench([vectors])
    scores = np.array([found.judge.log_odds_per_word(text) for text in outcome.texts])
    plain = np.array([found.judge.log_odds_per_word(text) for text in bench.plain_texts])
    assert outcome.shift == pytest.approx((scores - plain).mean())
    assert outcome.shift_error == pytest.approx((scores - plain).std(ddof=1) / 6**0.5)
    assert outcome.success_error == pytest.approx((outcome.success * (1 - outcome.success) / 6) ** 0.5)
