"""Recall and loss of what is known to remember all, and of what remembers nothing."""

import numpy as np
import pytest

from host.context.recall import draw_texts, measure_kept
from models.errors import OptionError

STREAM = np.random.default_rng(0).integers(1, 50, 4000).tolist()
VOCAB = 50


def draws(count=5):
    return draw_texts(STREAM, 64, [16, 40], count, first=0)


def copying(distance):
    """Logits that are sure of the token that stood behind the one a distance earlier."""
    def logits(ids):
        found = np.zeros((len(ids), VOCAB))
        for place in range(distance, len(ids)):
            found[place, ids[place + 1 - distance]] = 9
        return found
    return logits


def test_a_passage_stands_twice_at_its_distance():
    for draw in draws():
        assert len(draw.plain) == 64 and draw.plain[0] == 0
        for distance, ids in draw.repeated.items():
            assert ids[48:] == ids[48 - distance:64 - distance]
            changed = [place for place in range(64) if ids[place] != draw.plain[place]]
            assert all(place >= 48 or 48 - distance <= place < 64 - distance for place in changed)


def test_texts_are_the_same_again_and_spread_over_the_stream():
    assert draws() == draws()
    assert draws()[-1].plain[1:] == STREAM[-64:-1]


def test_who_copies_from_a_distance_recalls_at_that_distance():
    kept = measure_kept(copying(40), draws())
    assert kept.recall[40].tolist() == [1] * 5
    assert kept.recall[16].mean() < 0.3


def test_who_knows_nothing_has_the_loss_of_the_vocabulary():
    kept = measure_kept(lambda ids: np.zeros((len(ids), VOCAB)), draws())
    assert kept.nll == pytest.approx([np.log(VOCAB)] * 5)


def test_loss_is_that_of_the_second_half():
    def knows_the_first_half(ids):
        found = np.zeros((len(ids), VOCAB))
        found[np.arange(32), ids[1:33]] = 99
        return found
    assert measure_kept(knows_the_first_half, draws()).nll == pytest.approx([np.log(VOCAB)] * 5)


@pytest.mark.parametrize("tokens, distance, complaint", [
    (5000, 16, "the text has 4000 tokens, fewer than 5000"), (64, 50, "distances of 16 to 47 in texts of 64"),
    (64, 8, "distances of 16 to 47")])
def test_what_does_not_fit_is_told(tokens, distance, complaint):
    with pytest.raises(OptionError, match=complaint):
        draw_texts(STREAM, tokens, [distance], 2, first=0)
