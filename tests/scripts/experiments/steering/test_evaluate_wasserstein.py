"""Distances are those of shifted values; steering toward the target shortens them; the page has them."""

import numpy as np
import pytest

from host.pipeline.steering.contrast import Contrast
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from models.synth import synthetic_model
from scripts.experiments.steering import evaluate_wasserstein
from scripts.experiments.steering.evaluate_wasserstein import (
    _DOCUMENT,
    MARKS,
    HeldOut,
    distances,
    jackknife,
    measured,
    page,
    states,
)
from tests.families import FAMILIES

CONFIG = FAMILIES["relu2 grouped heads"]
MODEL = synthetic_model(CONFIG, seed=1)


def windows(seed, count=3, tokens=20):
    return np.random.default_rng(seed).integers(0, CONFIG.vocab_size, (count, tokens)).tolist()


def test_shifted_values_are_as_far_as_their_shift():
    values = np.random.default_rng(0).normal(size=(2, 3, 40, 5))
    deviations = np.array([[1.0] * 5, [2.0] * 5])
    shuffled = values.reshape(2, 120, 5)[:, np.random.default_rng(1).permutation(120)].reshape(values.shape)
    assert distances(shuffled + 0.5, values, deviations) == pytest.approx([0.5, 0.25])
    assert distances(2 * values, values, deviations)[0] == pytest.approx(np.abs(values[0]).mean())
    assert jackknife(values[:, :1].repeat(3, axis=1), values[:, :1].repeat(3, axis=1), deviations) == 0
    assert jackknife(values, values + np.array([0.0, 0.1, 0.5])[:, None, None], deviations) > 0


def test_states_are_those_behind_the_stage():
    """Behind the steered layer the vector is all that differs; what is added there reaches the next."""
    vectors = np.zeros((CONFIG.layers, CONFIG.hidden_size))
    vectors[0, 3] = 0.5
    text = windows(0, 2)
    plain, steered = states(MODEL, text), states(MODEL, text, [DifferenceOfMeans.load({"vectors": vectors})])
    assert plain.shape == (CONFIG.layers, 2, 16, CONFIG.hidden_size)
    assert steered[0] - plain[0] == pytest.approx(np.broadcast_to(vectors[0], plain[0].shape), abs=1e-4)
    assert np.abs(steered[1] - plain[1]).max() > 1e-3


@pytest.fixture(scope="module")
def found():
    pytest.importorskip("torch")
    contrast = Contrast(MODEL, np.tile(np.arange(0, 20), 20).tolist(), np.tile(np.arange(60, 130), 6).tolist())
    held_out = HeldOut(*(np.random.default_rng(seed).integers(low, high, (3, 24)).tolist()
                         for seed, low, high in ((0, 60, 130), (1, 0, 20), (2, 0, 20))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate_wasserstein, "BUDGETS", (0.025,))
        # what a model of noise finds likelier is no cost: here any stage costs by its strength
        patch.setattr(evaluate_wasserstein, "_cost", lambda *_: lambda stage: 1 + stage.strength**2 / 10)
        return measured(contrast, held_out, ("low", "high"), steps=30, sparsity=0.1)


def test_the_map_brings_held_out_text_nearer_and_the_floor_is_below(found):
    by_name = {row["name"]: np.mean(row["layers"]) for row in found["rows"]}  # of the dearer ones
    assert by_name["floor: the target's other half"] < by_name["lin-eas"] < 0.9 * by_name["no steering"]
    assert by_name["lin-eas, channels at random"] > by_name["lin-eas"]
    assert 0 < found["support"] <= 1 and found["fitted"][1] < found["fitted"][0]
    steered = [row for row in found["rows"] if "cost" in row]
    assert [round(row["strength"], 1) for row in steered] == [0.5] * 3 + [1] * 3
    assert [np.mean(row["layers"]) for row in steered if row["name"] == "lin-eas"][0] > by_name["lin-eas"]


def test_the_page_has_every_row(found):
    text = page([found])
    assert text.count("\n| ") >= len(found["rows"]) and f"{100 * found['support']:.1f} % of the channels" in text
    assert "nan" not in text and all(mark in _DOCUMENT.read_text("utf-8") for mark in MARKS)
