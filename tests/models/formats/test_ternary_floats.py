import numpy as np
import pytest

from models.errors import ModelError
from models.formats.ternary_floats import are_ternary, grouped_of_floats, ternary_of_floats


def test_zeros_alone_have_no_scale():
    trits, scale = ternary_of_floats(np.zeros((6, 512), np.float32))
    assert scale == 0 and not trits.any()


def test_floats_that_are_ternary_already():
    trits = np.array([[0, 1, -1], [1, 0, 0]], np.int8)
    found, scale = ternary_of_floats(trits * np.float32(0.3))
    np.testing.assert_array_equal(found, trits, strict=True)
    assert scale == np.float32(0.3)
    for values, message in ((np.float32([[0, 1, 2]]), "found floats of several magnitudes up to 2"),
                            (np.float32([[0, np.nan]]), "expected finite numbers")):
        with pytest.raises(ModelError, match=message):
            ternary_of_floats(values)


def test_groups_of_floats():
    rng = np.random.default_rng(0)
    trits, scales = rng.integers(-1, 2, (3, 256)).astype(np.int8), np.float32([[1, 2], [3, 3], [0.5, 4]])
    trits[1, 128:] = 0
    values = trits * np.repeat(scales, 128, axis=1)
    found = grouped_of_floats(values)
    np.testing.assert_array_equal(found.signs, trits, strict=True)
    np.testing.assert_array_equal(found.values(), values)
    assert found.scales[1].tolist() == [3, 0]
    assert are_ternary(values, grouped=True) and not are_ternary(values, grouped=False)
    assert not are_ternary(values[:, :192], grouped=True)
    values[2, 5] = 0.25
    with pytest.raises(ModelError, match="a scale for each 128 inputs of a row, found floats of several magnitudes"):
        grouped_of_floats(values)
