"""An affine map a channel: one tap where gains fit, the same arithmetic on the CPU where they do not."""

import numpy as np
import pytest

from host.pipeline.placement import place
from host.pipeline.site import Point, Site
from host.pipeline.steering.scaled_and_shifted import ScaledAndShifted
from models.errors import ArtefactError
from models.golden.scalar import Scalar, constant
from models.synth import synthetic_model
from tests.families import FAMILIES

MODEL = synthetic_model(next(iter(FAMILIES.values())))
SHAPE = MODEL.config.layers, MODEL.config.hidden_size
RANDOM = np.random.default_rng(0)
UNIT = Scalar(*(np.full(3, part) for part in constant(2**-14)))  # of three rows
POINT = Point(0, Site.RESIDUAL)


class Affine(ScaledAndShifted):
    method = "affine"

    @classmethod
    def fit(cls, model, **options):
        raise NotImplementedError


def stage(scale, strength=1.0):
    return Affine.load({"scales": scale * RANDOM.standard_normal(SHAPE), "shifts": RANDOM.standard_normal(SHAPE)},
                       strength)


def rows(magnitude=1 << 20):
    return RANDOM.integers(-magnitude, magnitude, (3, SHAPE[1])), UNIT


def test_small_gains_are_taps_and_large_ones_are_not():
    small, large = stage(0.1), stage(20)
    assert place([small], MODEL).where(list(small.points(MODEL))) == "fabric"
    assert place([large], MODEL).where(list(large.points(MODEL))) == "cpu"


@pytest.mark.parametrize("scale", [0.1, 20.0])
def test_it_is_the_map_to_a_rounding(scale):
    affine = stage(scale, 0.7)
    x, unit = rows()
    found = affine.apply(POINT, x, unit, MODEL)
    gains = 1 + 0.7 * affine.tensors["scales"][0]
    wanted = x * gains + 0.7 * affine.tensors["shifts"][0] * 2**14
    assert np.abs(found - wanted).max() <= np.abs(x).max() * 2**-14 + 4


@pytest.mark.parametrize("scale", [0.1, 20.0])
def test_strength_zero_changes_no_bit(scale):
    x, unit = rows((1 << 31) - 1)
    assert np.array_equal(stage(scale, 0.0).apply(POINT, x, unit, MODEL), x)


def test_wide_gains_saturate_to_the_residual():
    affine = Affine.load({"scales": np.full(SHAPE, 100.0), "shifts": np.zeros(SHAPE)})
    x, unit = rows((1 << 31) - 1)
    found = affine.apply(POINT, x, unit, MODEL)
    assert np.abs(found).max() == (1 << 31) - 1 and np.array_equal(np.sign(found), np.sign(x))


def test_gains_beyond_the_widest_are_refused():
    with pytest.raises(ArtefactError, match="expected gains within ±128"):
        stage(1.0, 500.0)


def test_a_control_has_the_same_numbers_elsewhere():
    affine = stage(0.3)
    control = affine.randomised(1)
    for name in ("scales", "shifts"):
        assert np.allclose(np.sort(np.abs(control.tensors[name])), np.sort(np.abs(affine.tensors[name])))
        assert not np.allclose(control.tensors[name], affine.tensors[name])
