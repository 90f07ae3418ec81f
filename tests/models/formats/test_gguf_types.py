import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType as Kind
from gguf.quants import dequantize, quantize

from models.errors import ModelError
from models.formats.gguf_types import float_rows
from tests.models.formats.ternary_blocks import BLOCK_TYPES, decoded, encoded


@pytest.mark.parametrize("kind", [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q4_0, Kind.Q5_1])
def test_float_types_are_what_the_library_says(kind):
    values = np.random.default_rng(0).standard_normal((5, 256), np.float32)
    data = quantize(values, kind)
    found = float_rows(np.frombuffer(data.tobytes(), np.uint8), kind, 256)
    np.testing.assert_array_equal(found, dequantize(data, kind).reshape(5, 256))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, values, atol=0.4)


def test_other_types_are_refused():
    for number, name in ((Kind.I32, "I32"), (36, "I2_S"), (99, "type 99")):
        with pytest.raises(ModelError, match=f"expected a floating-point type, found {name}"):
            float_rows(np.zeros(64, np.uint8), number, 16)


def test_ternary_tables_are_floats_too():
    rng = np.random.default_rng(0)
    trits, scales = rng.integers(-1, 2, (3, 256)).astype(np.int8), np.exp(rng.standard_normal((3, 4)))
    data = encoded("Q2_0", trits, scales)
    found = float_rows(np.frombuffer(data, np.uint8), BLOCK_TYPES["Q2_0"][0], 256)
    np.testing.assert_array_equal(found, decoded("Q2_0", data, (3, 256)), strict=True)
