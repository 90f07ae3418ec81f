"""Singular directions of the head are damped in exact integers, and those of the unwanted manner are chosen."""

import numpy as np
import pytest

from host.pipeline.site import Point, Site
from host.pipeline.steering.contrast import Contrast
from host.pipeline.steering.eigen_shift import DIRECTIONS, EigenShift
from models.dequantise import float_model
from models.errors import ArtefactError, OptionError
from models.golden.scalar import Scalar, constant
from models.synth import synthetic_model
from tests.families import FAMILIES

MODEL = synthetic_model(next(iter(FAMILIES.values())))
HIDDEN = MODEL.config.hidden_size
POINT = Point(MODEL.config.layers, Site.HEAD)
RANDOM = np.random.default_rng(0)
UNIT = Scalar(*(np.full(3, part) for part in constant(2**-20)))  # of three rows


def stage(strength, count=4):
    directions = np.zeros((DIRECTIONS, HIDDEN))
    directions[:count] = np.linalg.qr(RANDOM.standard_normal((HIDDEN, count)))[0].T
    return EigenShift.load({"directions": directions}, strength)


def rows(magnitude):
    return RANDOM.integers(-magnitude, magnitude, (3, HIDDEN)), UNIT


@pytest.mark.parametrize("magnitude", [1 << 12, 1 << 23, (1 << 39) - 1])
@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, -2.0])
def test_it_takes_the_directions_out_to_a_rounding(magnitude, strength):
    shift, (x, unit) = stage(strength), rows(magnitude)
    basis = shift.tensors["directions"]
    found = shift.apply(POINT, x, unit, MODEL)
    wanted = x - strength * (x @ basis.T) @ basis
    assert np.abs(found - wanted).max() <= 2 + abs(strength) * magnitude * 2**-13
    if strength == 0:
        assert np.array_equal(found, x)


def test_the_unwanted_manner_s_directions_are_chosen():
    contrast = Contrast(MODEL, [0], [1])
    rank, twin = 3, float_model(MODEL)
    head = np.asarray(twin.embedding if twin.head is None else twin.head, np.float64)
    singular = np.linalg.eigh(head.T @ head)[1].T
    toward, away = RANDOM.standard_normal((2, 400, HIDDEN))
    away = away + 5 * RANDOM.standard_normal((400, rank)) @ singular[[2, 9, 20]]
    contrast._observed[POINT] = toward, away
    fitted = EigenShift.fit_contrast(contrast, [], count=rank)
    found = fitted.tensors["directions"]
    assert np.abs(found[:rank] @ singular[[2, 9, 20]].T).max(axis=0) == pytest.approx(1)
    assert not found[rank:].any()


def test_a_control_is_as_many_orthonormal_directions():
    control = stage(0.5, 4).randomised(3).tensors["directions"]
    assert np.allclose(control[:4] @ control[:4].T, np.eye(4)) and not control[4:].any()


def test_what_makes_no_sense_is_refused():
    with pytest.raises(OptionError, match="--count must lie within"):
        EigenShift.fit_contrast(Contrast(MODEL, [0], [1]), [], count=DIRECTIONS + 1)
    with pytest.raises(ArtefactError, match="norms of 1"):
        EigenShift.load({"directions": np.full((DIRECTIONS, HIDDEN), 3.0)})
    with pytest.raises(ArtefactError, match="within ±64"):
        stage(100.0)
