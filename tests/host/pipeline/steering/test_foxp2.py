"""A planted language: its tokens, its channels, its directions, and the vector that follows from them."""

import numpy as np
import pytest

from host.pipeline.features.atomic_metric import AtomicMetric
from host.pipeline.features.threshold_sae import ThresholdSae
from host.pipeline.steering import foxp2
from host.pipeline.steering.added_vectors import usual_norm
from host.pipeline.steering.contrast import Contrast
from host.pipeline.steering.foxp2 import Foxp2, common_spectrum, own_tokens, selective_channels
from models.errors import OptionError
from models.synth import synthetic_model
from tests.families import FAMILIES

MODEL = synthetic_model(next(iter(FAMILIES.values())))
CHANNELS, LAYERS = MODEL.config.hidden_size, MODEL.config.layers
IDS = np.random.default_rng(0).integers(0, MODEL.config.vocab_size, (2, 64)).tolist()


@pytest.fixture
def contrast(monkeypatch):
    """States that differ at the last layer, in four channels, by three of their deviations; these lift the logits."""
    monkeypatch.setattr(foxp2, "_STEPS", 150)
    monkeypatch.setattr(foxp2, "_lifting", lambda contrast: (np.arange(CHANNELS) < 4) * 1.0)
    made = Contrast(MODEL, *IDS)
    random = np.random.default_rng(1)
    toward, away = random.standard_normal((2, LAYERS, 512, CHANNELS))
    toward[-1, :, :4] += 3
    made.states = toward, away
    return made


def test_own_tokens_are_those_that_the_other_text_hardly_has():
    shares = own_tokens([1] * 9 + [2] * 6 + [3], [2] * 5 + [4] * 11, 6)
    assert shares.tolist() == [0, 1, 0, 0, 0, 0]
    assert own_tokens([1, 2], [1, 2], 4).tolist() == [0, 0, 0, 0]


def test_a_spectrum_ends_at_its_largest_gap():
    random = np.random.default_rng(2)
    directions = np.linalg.qr(random.standard_normal((20, 2)))[0].T
    rows = (random.standard_normal((50, 2)) * (5, 4) + (10, 10)) @ directions + 0.01 * random.standard_normal((50, 20))
    found = common_spectrum(rows)
    assert found.rank in (1, 2) and 0 < found.gap <= 1 and 1 <= found.effective < 3
    assert np.linalg.norm(found.mean - rows.mean(axis=0)) < 0.5 * np.linalg.norm(rows.mean(axis=0))
    equal = common_spectrum(np.kron(np.eye(2), np.ones((5, 1))) @ directions)
    assert equal.rank == 2 and equal.gap == pytest.approx(1) and equal.effective == pytest.approx(2)
    assert common_spectrum(np.zeros((4, 3))).gap == 0


def test_channels_are_those_of_features_that_are_selective_and_lift():
    """Of four features two are on for the language alone, and of these one lifts its logits."""
    metric = AtomicMetric(np.zeros(4), np.eye(4), np.eye(4))
    sae = ThresholdSae(metric, np.eye(4), np.eye(4), np.full(4, 0.5))
    random = np.random.default_rng(3)
    mine, other = np.abs(random.standard_normal((2, 300, 4)))
    mine[:, :2] += 2
    assert selective_channels(sae, mine, other, np.array([1.0, -1, 1, 1]), 0.25).tolist() == [1, 0, 0, 0]
    assert selective_channels(sae, mine, other, np.array([-1.0, 1, 1, 1]), 0.25).tolist() == [0, 1, 0, 0]
    assert selective_channels(sae, mine, other, np.ones(4), 0.5).tolist() == [1, 1, 0, 0]
    assert selective_channels(sae, mine, other, -np.ones(4), 0.5).tolist() == [0, 0, 0, 0]


def test_a_massive_channel_does_not_win_by_its_size():
    metric = AtomicMetric(np.zeros(2), np.diag([1e-3, 1.0]), np.diag([1e3, 1.0]))
    turned = np.array([[0.2, -0.98], [0.98, 0.2]])
    sae = ThresholdSae(metric, turned, turned, np.zeros(2))
    random = np.random.default_rng(4)
    mine, other = np.abs(random.standard_normal((2, 400, 2))) * (1e3, 1.0)
    mine[:, 1] += 3
    assert selective_channels(sae, mine, other, np.array([0.0, 1]), 0.5).tolist() == [0, 1]


def test_the_vector_leads_to_the_target_in_its_channels(contrast):
    vectors, details = Foxp2.fit_contrast(contrast, [LAYERS - 1], features=32, channels=10.0)
    vector = vectors["vectors"][-1]
    norm = usual_norm(np.concatenate([side[-1] for side in contrast.states]))
    assert np.linalg.norm(vector) == pytest.approx(norm) and not vectors["vectors"][:-1].any()
    assert np.count_nonzero(vector) <= 2 * round(0.1 * CHANNELS)
    assert vector[:4].sum() > 0.9 * np.abs(vector).sum()
    found = details["found"][str(LAYERS - 1)]
    assert found["rank"] == 1 and found["gap"] > 0.5


def test_layers_share_the_norm_by_their_gaps(contrast):
    fitted = Foxp2.fit_contrast(contrast, [0, LAYERS - 1], features=32)
    lengths = np.linalg.norm(fitted.tensors["vectors"], axis=1)
    gaps = [fitted.details["found"][str(layer)]["gap"] for layer in (0, LAYERS - 1)]
    assert lengths[-1] > 2 * lengths[0] and gaps[1] > 2 * gaps[0]


def test_a_shuffled_contrast_has_no_such_gap(contrast):
    shuffled = Foxp2.fit_contrast(contrast.shuffled(1), [LAYERS - 1], features=32).details["found"]
    assert shuffled[str(LAYERS - 1)]["gap"] < 0.3


def test_what_has_no_direction_is_refused(contrast):
    for wrong, message in ((dict(channels=0.0), "--channels"), (dict(features=0), "--features"),
                           (dict(features=2000), "--features")):
        with pytest.raises(OptionError, match=message):
            Foxp2.fit_contrast(contrast, [0], **wrong)
    contrast.states = (contrast.states[0][:, :40], contrast.states[1])
    with pytest.raises(OptionError, match="64 tokens"):
        Foxp2.fit_contrast(contrast, [0], features=8)
    contrast.states = (contrast.states[1], contrast.states[1])
    with pytest.raises(OptionError, match="do not differ"):
        Foxp2.fit_contrast(contrast, [0], features=8)


def test_it_steers_low_and_middle_layers():
    assert [list(Foxp2.default_layers(count)) for count in (1, 4, 6)] == [[0], [0, 1], [0, 1, 2, 3]]
