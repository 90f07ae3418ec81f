"""A head that does induction is told from one that only looks so, and from one that harms both halves."""

import math

import numpy as np
import pytest

from host.pipeline.heads.ablation import Ablated, Head
from host.pipeline.heads.load_bearing import Losses, Sequences, Trial, correlation, estimate
from host.pipeline.heads.repeats import Repeated, repeated_sequences
from tests.host.pipeline.heads.planted_heads import DECOY, INDUCTION, VOCABULARY, planted_model


class Scripted:
    """Losses by the heads taken out: of first halves, and of second ones."""

    def __init__(self, by_heads):
        self._by_heads = by_heads

    def losses(self, heads, ids):
        first, second = self._by_heads.get(tuple(heads), self._by_heads[()])
        noise = np.random.default_rng(list(ids)).normal(scale=0.01)
        return np.where(np.arange(len(ids) - 1) < len(ids) // 2, first, second) + noise


HARMFUL, CARRIER, IDLE = Head(0, 0), Head(0, 1), Head(0, 2)
SEQUENCES = Sequences(repeated_sequences(range(30), 6, 8, 0), [Repeated((1, 2, 3) * 2, 3)] * 2, [[1, 2, 3]] * 2)


@pytest.mark.parametrize(("head", "carries"), [(HARMFUL, False), (CARRIER, True), (IDLE, False)])
def test_only_what_takes_the_advantage_of_the_second_half_carries(head, carries):
    trial = Trial(Scripted({(): (5, 2), (HARMFUL,): (7, 4), (CARRIER,): (5, 5)}), SEQUENCES)
    found = trial.against([head], [[Head(1, 0)], [Head(1, 1)]])
    assert found["carries"] is carries
    assert found["excess"]["repeat"].mean == pytest.approx(3 if carries else 0, abs=0.02)
    assert found["rise"]["first"].mean == pytest.approx(2 if head == HARMFUL else 0)


def test_nothing_is_carried_where_the_whole_model_gains_nothing():
    trial = Trial(Scripted({(): (5, 5), (CARRIER,): (5, 6)}), SEQUENCES)
    found = trial.against([CARRIER], [[IDLE]])
    assert found["excess"]["repeat"].mean == pytest.approx(1) and not found["carries"]
    assert trial.against([CARRIER], [])["carries"] is None


def test_the_planted_decoy_is_exposed():
    sequences = Sequences(repeated_sequences(range(VOCABULARY), 4, 16, 0), [Repeated((1, 2, 3) * 2, 3)], [[1, 2, 3]])
    trial = Trial(Ablated(planted_model()), sequences)
    matched = [[Head(1, 0)], [Head(1, 3)]]
    assert trial.plain.repeat.mean() < -1
    assert trial.against([Head(*INDUCTION)], matched)["carries"]
    assert not trial.against([Head(*DECOY)], matched)["carries"]
    assert trial.rise_of_repeats(Head(*INDUCTION)).mean > 1 > 0.05 > abs(trial.rise_of_repeats(Head(*DECOY)).mean)


def test_errors_have_both_parts():
    assert estimate(np.array([1.0, 3.0])) == (2, 1)
    assert math.isnan(estimate(np.array([1.0])).error)
    trial = Trial(Scripted({(): (5, 2), (Head(1, 0),): (5, 2.5), (Head(1, 1),): (5, 3.5)}), SEQUENCES)
    found = trial.against([IDLE], [[Head(1, 0)], [Head(1, 1)]])["excess"]["repeat"]
    assert found.mean == pytest.approx(-1) and found.error == pytest.approx(0.5, abs=0.01)  # of the draws alone
    losses = Losses(*(np.array([1.0, 2.0]) for _ in range(4)))
    assert losses.less(losses).estimates()["text"] == (0, 0)


def test_ranks_are_correlated_with_ties_at_their_mean():
    assert correlation([1, 2, 3], [10, 20, 90]) == pytest.approx(1)
    assert correlation([1, 1, 2, 3], [0, 0, 5, 1]) == pytest.approx(0.778, abs=1e-3)
    assert correlation([1, 2], [4, 4]) == 0
