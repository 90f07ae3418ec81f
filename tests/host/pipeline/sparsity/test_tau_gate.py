"""TauGate: gains that mend what thresholds take, in one tap; what no tap holds is refused."""

import numpy as np
import pytest

from host.pipeline.site import Point, Site
from host.pipeline.sparsity.tau_gate import TauGate
from models.errors import ArtefactError
from models.golden.scalar import Scalar
from models.golden.tap import GAIN_ONE
from tests.host.pipeline.sparsity.masks import fitted, model_of, seen

FAMILY = "silu full heads"


def test_gains_bring_the_output_nearer():
    twin, inputs = seen(FAMILY)
    tensors = TauGate.fit_layers(twin, inputs, [0.6, 0.6])
    x, linear = inputs[1]["down"].astype(np.float64), twin.layers[1].linears["down"]
    kept = np.where(np.abs(x) > tensors["thresholds"][1], x, 0)
    assert abs((kept == 0).mean() - 0.6) < 0.01

    def error(rows):
        return np.square((rows - x) @ linear.trits.T).sum()

    assert error(kept * tensors["gains"][1]) < 0.97 * error(kept) < 0.5 * error(0 * x)
    assert tensors["gains"].min() >= 0 and tensors["gains"].max() < 4


def test_it_is_a_gain_and_then_a_threshold(rng):
    stage, model = fitted("tau-gate", FAMILY), model_of(FAMILY)
    point, unit = Point(1, Site.DOWN), Scalar(np.full(5, 1 << 23), np.full(5, -20))
    x = rng.integers(-2**22, 2**22, (5, stage.gains.shape[1]))
    found = stage.apply(point, x, unit, model)
    values, gains, thresholds = x / 2.0**20, stage.gains[1], stage.thresholds[1]
    sure = np.abs(np.abs(values) - thresholds) > 1e-3 * thresholds.max()
    expected = np.where(np.abs(values) > thresholds, values * gains, 0)
    assert np.abs(found / 2.0**20 - expected)[sure].max() < 1e-3 and 0.1 < (found == 0).mean() < 0.9
    nothing = stage.with_strength(0).lower(point, model)
    assert (nothing.gain == GAIN_ONE).all() and not nothing.threshold.any()


@pytest.mark.parametrize("name, value, strength, message", [
    ("thresholds", -1, 1, "tensor thresholds: expected none below 0, found -1"),
    ("thresholds", 1, -1, "its strength must not be negative"), ("thresholds", 1e30, 1, "expected magnitudes"),
    ("gains", -0.5, 1, "tensor gains: expected values from 0 to 4.000, found -0.5"),
    ("gains", 3, 2, "tensor gains: expected values from 0 to 4.000, found 5")])
def test_what_makes_no_sense_is_refused(name, value, strength, message):
    tensors = {"thresholds": np.ones((2, 160)), "gains": np.ones((2, 160))} | {name: np.full((2, 160), float(value))}
    with pytest.raises(ArtefactError, match=message):
        TauGate.load(tensors, strength)
