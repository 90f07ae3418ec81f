"""What directions are fitted on: sides of equal worth, a null that keeps the tokens, and texts that are of no use."""

import numpy as np
import pytest

from host.pipeline.steering.contrast import Contrast, chosen_layers, middle_third
from models.checkpoint import load_model
from models.errors import OptionError
from models.synth import synthetic_model
from tests.families import FAMILIES

MODEL = synthetic_model(next(iter(FAMILIES.values())))
IDS = np.random.default_rng(0).integers(0, MODEL.config.vocab_size, (2, 40)).tolist()


@pytest.fixture(scope="module")
def contrast():
    return Contrast(MODEL, *IDS)


def sorted_rows(states):
    return np.sort(states[:, :, 0], axis=1)


def test_flipped_swaps_everything_and_looks_at_nothing_again(contrast):
    flipped = contrast.flipped()
    assert (flipped.toward, flipped.away) == (contrast.away, contrast.toward)
    assert flipped.states[0] is contrast.states[1] and flipped.states[1] is contrast.states[0]


def test_a_shuffled_contrast_holds_the_same_tokens_under_other_labels(contrast):
    shuffled, again, other = (contrast.shuffled(seed) for seed in (1, 1, 2))
    pooled = [np.concatenate(found.states, axis=1) for found in (contrast, shuffled)]
    assert np.array_equal(*map(sorted_rows, pooled))
    assert [side.shape for side in shuffled.states] == [side.shape for side in contrast.states]
    assert np.array_equal(shuffled.states[0], again.states[0])
    assert not np.array_equal(shuffled.states[0], other.states[0])
    toward, away = shuffled.pieces(8)
    assert sorted(map(tuple, toward + away)) == sorted(tuple(p) for side in contrast.pieces(8) for p in side)
    shares = [sum(piece in contrast.pieces(8)[0] for piece in side) for side in (toward, away)]
    assert shares == [3, 2]  # of five pieces, so that nothing of the direction is left


def test_pieces_follow_each_other_and_are_as_many_of_both():
    toward, away = Contrast(MODEL, list(range(20)), list(range(100, 111))).pieces(4)
    assert toward == [[0, 1, 2, 3], [4, 5, 6, 7]] and away == [[100, 101, 102, 103], [104, 105, 106, 107]]
    assert Contrast(MODEL, list(range(40)), list(range(100, 140))).pieces(4, 3)[0] == [
        [0, 1, 2, 3], [16, 17, 18, 19], [36, 37, 38, 39]]
    with pytest.raises(OptionError, match="fewer than 12 tokens"):
        Contrast(MODEL, list(range(20)), list(range(11))).pieces(12)


def test_layers_must_lie_in_the_model():
    assert chosen_layers("3,1", 6) == [1, 3]
    assert middle_third(6) == [2, 3] and middle_third(1) == [0]
    for wrong in ("1,x", "6", "-1"):
        with pytest.raises(OptionError, match="--layers"):
            chosen_layers(wrong, 6)


def test_texts_that_lead_nowhere_are_refused(tmp_path):
    demo_model = load_model("demo")
    same, short = tmp_path / "same.txt", tmp_path / "short.txt"
    same.write_text("It was a truth universally acknowledged, that a carriage is wanted. " * 3)
    short.write_text("Amen.")
    with pytest.raises(OptionError, match="do not differ"):
        Contrast.read(demo_model, same, same, 64)
    with pytest.raises(OptionError, match="too short"):
        Contrast.read(demo_model, same, short, 64)
    with pytest.raises(OptionError, match="--tokens"):
        Contrast.read(demo_model, same, short, 8)
