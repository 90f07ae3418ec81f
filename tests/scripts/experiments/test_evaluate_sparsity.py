"""Random masks hit the share of channels they are asked for, and scoring sees their zeros."""

import numpy as np
import pytest

from host.pipeline.site import LINEAR_INPUTS, Point, channels_of
from models.synth import synthetic_model
from scripts.experiments.evaluate_sparsity import random_masks, score, table
from tests.families import FAMILIES


@pytest.fixture(scope="module")
def model():
    return synthetic_model(next(iter(FAMILIES.values())), seed=2)


def test_a_random_mask_silences_its_share_of_every_input(model):
    masks = random_masks(model, 0.25, seed=1)
    assert set(masks) == {Point(layer, site) for layer in range(model.config.layers) for site in LINEAR_INPUTS}
    for point, mask in masks.items():
        channels = channels_of(point.site, model.config)
        assert mask.gain.size == channels
        assert np.count_nonzero(mask.gain == 0) == round(channels / 4)
    assert not np.array_equal(masks[Point(0, "qkv")].gain, masks[Point(1, "qkv")].gain)


def test_masked_channels_are_counted_as_zeros(model):
    ids = np.random.default_rng(3).integers(0, model.config.vocab_size, 40).tolist()
    plain, natural = score(model, {}, ids)
    same, unchanged = score(model, random_masks(model, 0.0, seed=1), ids)
    masked, sparsity = score(model, random_masks(model, 0.5, seed=1), ids)
    assert (same, unchanged) == (plain, natural)
    assert masked != plain
    assert sparsity == pytest.approx(0.5 + natural / 2, abs=0.05)


def test_the_table_shows_what_was_measured():
    lines = table([{"method": "plain", "target": 0.0, "sparsity": 0.4183, "perplexity": 30.748, "ratio": 1.0},
                   {"method": "teal", "target": 0.4, "sparsity": 0.5532, "perplexity": 30.985, "ratio": 1.0077}]
                  ).splitlines()
    assert lines[2:] == ["| plain | – | 0.418 | 30.75 | × 1.000 |", "| teal | 0.4 | 0.553 | 30.98 | × 1.008 |"]
