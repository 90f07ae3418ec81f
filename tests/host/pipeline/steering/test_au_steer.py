"""Channels that tell two manners apart are found, scaled the way that they differ, and no others."""

import numpy as np
import pytest

from host.pipeline.steering.au_steer import AUSteer, momenta
from host.pipeline.steering.contrast import Contrast
from models.errors import OptionError
from models.synth import synthetic_model
from tests.families import FAMILIES

MODEL = synthetic_model(next(iter(FAMILIES.values())))
LAYERS, HIDDEN = MODEL.config.layers, MODEL.config.hidden_size
UP, DOWN, BELOW = (1, 3), (0, 5), (1, 7)


def contrast():
    """A positive channel that is higher toward, a positive one that is lower, a negative one that is higher."""
    random = np.random.default_rng(0)
    states = random.standard_normal((2, LAYERS, 320, HIDDEN))
    for (layer, channel), mean, step in ((UP, 5, 2), (DOWN, 5, -2), (BELOW, -5, 2)):
        states[:, layer, :, channel] += mean
        states[0, layer, :, channel] += step
    made = Contrast(MODEL, [0], [1])
    made.states = states[0], states[1]
    return made


def test_the_planted_channels_are_scaled_the_way_they_differ():
    scales = AUSteer.fit_contrast(contrast(), range(LAYERS), count=3, sign="mean").tensors["scales"]
    assert scales[UP] == 1 and scales[DOWN] == -1 and scales[BELOW] == -1
    assert np.count_nonzero(scales) == 3


def test_the_paper_s_sign_takes_no_account_of_the_mean():
    scales = AUSteer.fit_contrast(contrast(), range(LAYERS), count=3, sign="paper").tensors["scales"]
    assert scales[BELOW] == 1


def test_only_the_layers_asked_for_are_steered():
    fitted = AUSteer.fit_contrast(contrast(), [1], count=3, sign="mean")
    assert fitted.details["channels_by_layer"] == [0, 3, *[0] * (LAYERS - 2)]


def test_momenta_are_shares_of_pairs_with_the_sign_of_most():
    toward = np.array([[[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [0.0, 4.0]]])
    assert momenta(toward, np.ones_like(toward)).tolist() == [[0.5, -0.75]]


def test_settings_of_no_use_are_refused():
    with pytest.raises(OptionError, match="--count must lie within 1"):
        AUSteer.fit_contrast(contrast(), range(LAYERS), count=0, sign="mean")
    with pytest.raises(OptionError, match="--sign is mean or paper"):
        AUSteer.fit_contrast(contrast(), range(LAYERS), count=1, sign="other")
