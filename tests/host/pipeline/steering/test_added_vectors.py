"""Vectors are added up whatever found them, and a control has their norms."""

import numpy as np
import pytest

from host.pipeline.placement import place
from host.pipeline.site import Point, Site
from host.pipeline.steering.added_vectors import AddedVectors, usual_norm
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from models.synth import synthetic_model
from tests.families import FAMILIES

MODEL = synthetic_model(next(iter(FAMILIES.values())))
SHAPE = MODEL.config.layers, MODEL.config.hidden_size


class OfAnotherKind(AddedVectors):
    method = "another"

    @classmethod
    def fit(cls, model, **options):
        raise NotImplementedError


def test_vectors_of_different_methods_are_one_tap():
    vectors = np.random.default_rng(0).standard_normal((2, *SHAPE))
    both = place([DifferenceOfMeans({"vectors": vectors[0]}, 0.5), OfAnotherKind({"vectors": vectors[1]}, -2)], MODEL)
    alone = place([DifferenceOfMeans({"vectors": 0.5 * vectors[0] - 2 * vectors[1]})], MODEL)
    assert not both.cpu and both.taps.keys() == {Point(layer, Site.RESIDUAL) for layer in range(SHAPE[0])}
    assert all(np.array_equal(both.taps[point].add, alone.taps[point].add) for point in both.taps)


def test_a_control_has_the_norms_and_one_direction():
    vectors = np.random.default_rng(1).standard_normal(SHAPE)
    vectors[0] = 0
    control = DifferenceOfMeans({"vectors": vectors}, 0.3).randomised(4)
    found = control.tensors["vectors"]
    assert control.strength == 0.3 and control.layers == set(range(1, SHAPE[0]))
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.linalg.norm(vectors, axis=1))
    directions = found[1:] / np.linalg.norm(found[1:], axis=1, keepdims=True)
    assert np.allclose(directions, directions[0])
    assert not np.array_equal(found, DifferenceOfMeans({"vectors": vectors}).randomised(5).tensors["vectors"])


def test_massive_channels_do_not_count_in_the_usual_norm():
    states = np.ones((30, 64))
    states[:, :10] = 1e6
    assert usual_norm(states) == pytest.approx(np.sqrt(54))
