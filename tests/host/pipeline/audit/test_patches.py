"""Stages of audits: what they leave of rows, in the float model's units."""

import numpy as np

from host.pipeline.audit.patches import adding, replacing, setting
from models.golden.scalar import Scalar, constant, to_float


def rows(values):
    """Rows in units that differ, 2**-20 and 3 * 2**-20; a last row has no unit."""
    units = [constant(2.0**-20), constant(3 * 2.0**-20), constant(0)]
    unit = Scalar(np.array([u.m for u in units]), np.array([u.e for u in units]))
    steps = to_float(unit)[:, None]
    x = np.rint(np.divide(values, steps, out=np.zeros(values.shape), where=steps > 0)).astype(np.int64)
    return x, unit, steps


def test_setting_moves_the_product_and_nothing_across(rng):
    values = rng.standard_normal((3, 8))
    direction = rng.standard_normal(8)
    direction /= np.linalg.norm(direction)
    x, unit, steps = rows(values)
    after = setting(direction, 0.7)(x, unit) * steps
    assert np.allclose(after[:2] @ direction, 0.7, atol=1e-4) and not after[2].any()
    across = np.eye(8) - np.outer(direction, direction)
    assert np.allclose(after[:2] @ across, values[:2] @ across, atol=1e-4)


def test_adding_adds_the_same_to_each_row(rng):
    vector = rng.standard_normal(8)
    x, unit, steps = rows(rng.standard_normal((3, 8)))
    assert np.allclose((adding(vector)(x, unit) - x)[:2] * steps[:2], vector, atol=1e-5)


def test_replacing_touches_its_rows_alone(rng):
    x, unit, steps = rows(rng.standard_normal((3, 8)))
    values = rng.standard_normal(8)
    after = replacing({1: values, 7: values})(x, unit)
    assert np.allclose(after[1] * steps[1], values, atol=1e-5) and np.array_equal(after[[0, 2]], x[[0, 2]])
    assert not np.array_equal(after[1], x[1])
