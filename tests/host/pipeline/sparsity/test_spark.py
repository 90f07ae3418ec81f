"""Spark's mask: the mean and deviation of a row decide, exactly; on normal sums it keeps k of n."""

import math
from fractions import Fraction

import numpy as np
import pytest

from host.pipeline.site import Point, Site
from host.pipeline.sparsity.gates import gate_and_up
from host.pipeline.sparsity.spark import Spark, at_least
from models.errors import ArtefactError, OptionError
from tests.host.pipeline.sparsity.masks import fitted, model_of, seen

FAMILY = "silu full heads"
POINT = Point(0, Site.GATE)


def mask(x, z):
    stage = Spark({"quantiles": np.full((2, 1), float(z))})
    return stage.apply(POINT, x, None, model_of(FAMILY))


@pytest.mark.parametrize("z", [-1.5, -0.25, 0, 0.5, 2])
def test_what_reaches_the_mean_and_so_many_deviations_stays(rng, z):
    x = rng.integers(-50, 50, (6, 40))
    found = mask(x, z)
    for row, left in zip(x.tolist(), found.tolist(), strict=True):
        mean = Fraction(sum(row), 40)
        variance = sum((value - mean) ** 2 for value in row) / 40
        stays = [value - mean >= 0 and (value - mean) ** 2 >= Fraction(z) ** 2 * variance if z >= 0 else
                 value - mean >= 0 or (value - mean) ** 2 <= Fraction(z) ** 2 * variance for value in row]
        assert left == [value if keep else 0 for value, keep in zip(row, stays, strict=True)]


def test_the_root_is_exact_on_both_sides():
    assert [at_least(z, 2) for z in (-2, -1, 0, 1, 2)] == [-2, -1, 0, 2, 3] and [at_least(1, v) for v in (3, 4, 5)] == [
        2, 2, 3]


def test_the_largest_sums_are_no_trouble():
    limit = 2**20 - 1
    x = np.tile([limit, -limit, 2**31 - 1, -2**31 + 1], (1, 2048))
    assert (mask(x, 0.5) == np.where(x > 0, x, 0)).all()
    same = np.full((1, 10), 7)
    assert (mask(same, 0) == same).all() and (mask(same, 8) == same).all() and not mask(np.zeros((1, 4), int), 1).any()


@pytest.mark.parametrize("sparsity", [0.25, 0.5, 0.92])
def test_on_normal_sums_it_keeps_about_k(rng, sparsity):
    stage = fitted("spark", FAMILY, sparsity, quantile="normal")
    x = np.rint(rng.normal(300, 2000, (50, 4096))).astype(np.int64)
    dropped = (stage.apply(POINT, x, None, model_of(FAMILY)) == 0).mean(axis=1)
    assert abs(dropped.mean() - sparsity) < 0.002 and math.isclose(stage.tensors["quantiles"][0, 0], {
        0.25: -0.6744898, 0.5: 0, 0.92: 1.4050716}[sparsity], abs_tol=1e-6)


def test_on_a_texts_own_gates_it_keeps_k():
    twin, inputs = seen(FAMILY)
    stage = fitted("spark", FAMILY, 0.7)
    for layer in (0, 1):
        gate, _ = gate_and_up(twin.layers[layer], inputs[layer]["gate_up"])
        found = stage.apply(Point(layer, Site.GATE), np.rint(gate / gate.std() * 5e4).astype(np.int64), None, None)
        assert abs((found == 0).mean() - 0.7) < 0.001
    with pytest.raises(OptionError, match="--quantile is normal or text, got 'half'"):
        fitted("spark", FAMILY, quantile="half")


def test_what_makes_no_sense_is_refused():
    tensors = {"quantiles": np.full((2, 1), 9.0)}
    with pytest.raises(ArtefactError, match="tensor quantiles: expected values within ±8, found one of 9"):
        Spark.load(tensors)
    with pytest.raises(ArtefactError, match="its strength must be 1, got 0.5"):
        Spark.load({"quantiles": np.ones((2, 1))}, 0.5)
