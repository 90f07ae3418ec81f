import numpy as np
import pytest

from models.golden.head_norm import head_norm
from models.golden.norm_quant import norm_constants
from models.golden.scalar import Scalar, constant, to_float
from models.integers import gain_vector


@pytest.mark.parametrize("dim", [2, 64, 128])
@pytest.mark.parametrize("size", [2**22, 3000, 12])
def test_each_head_is_the_float_norm(dim, size):
    rng = np.random.default_rng(0)
    x = rng.integers(-size, size + 1, (5, 3, dim))
    gains = 1 + rng.standard_normal(dim)
    mantissas, exponent = gain_vector(gains)
    unit, eps = constant(0.37 / size), 1e-6
    y, units = head_norm(x, Scalar(np.repeat(unit.m, 5), np.repeat(unit.e, 5)), mantissas,
                         norm_constants(dim, exponent, eps))
    assert np.abs(y).max() <= 2**23 and units.m.shape == (5, 3)
    real = x * 0.37 / size
    expected = real / np.sqrt((real**2).mean(axis=-1, keepdims=True) + eps) * gains
    np.testing.assert_allclose(y * to_float(units)[..., None], expected, atol=1e-4 * np.abs(gains).max())


def test_heads_are_alone_and_zeros_stay():
    x = np.zeros((2, 2, 4), np.int64)
    x[1, 1] = 1, -2, 3, 2**23 - 1
    mantissas, exponent = gain_vector(np.ones(4))
    unit = constant(2.0**-10)
    y, units = head_norm(x, Scalar(np.repeat(unit.m, 2), np.repeat(unit.e, 2)), mantissas,
                         norm_constants(4, exponent, 1e-6))
    assert not y[0].any() and not y[1, 0].any()
    assert (y[1, 1] * to_float(units)[1, 1])[3] == pytest.approx(2, rel=1e-5)
