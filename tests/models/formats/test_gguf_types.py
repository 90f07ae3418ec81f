import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType as Kind
from gguf.quants import dequantize, quantize

from models.errors import ModelError
from models.formats.gguf_blocks import BLOCKS, ternary_of_blocks
from models.formats.gguf_types import float_rows, ternary_of_floats

SHAPE = 6, 512


def ternary(kind, scale=0.25, seed=0):
    trits = np.random.default_rng(seed).integers(-1, 2, SHAPE).astype(np.int8)
    return trits, quantize((trits * np.float32(scale)), kind).reshape(-1)


@pytest.mark.parametrize("kind", [Kind.TQ1_0, Kind.TQ2_0])
def test_trits_and_scale_are_those_that_were_quantised(kind):
    trits, data = ternary(kind)
    found, scale = ternary_of_blocks(data, kind, SHAPE)
    np.testing.assert_array_equal(found, trits, strict=True)
    assert scale == 0.25
    np.testing.assert_array_equal(found * np.float32(scale), dequantize(data.reshape(6, -1), kind))


def test_the_digits_of_a_tq1_0_block_by_hand():
    """A single 2 digit each in the first, second and third part of a block, all others digit 1."""
    block = np.zeros((1, 54), np.uint8)
    ones = -(-121 * 256 // 243)  # 11111 in base 3
    block[0, :48], block[0, 48:52] = ones, -(-120 * 256 // 243)  # the last four bytes hold four digits: 11110
    block[0, 3] = -(-(121 + 81) * 256 // 243)       # first digit of byte 3
    block[0, 32 + 5] = -(-(121 + 9) * 256 // 243)   # third digit of byte 5 of the second part
    block[0, 48 + 2] = -(-(120 + 3) * 256 // 243)   # fourth digit of byte 2 of the third
    block[0, 52:] = np.array([2.0], "<f2").view(np.uint8)
    trits, scales = BLOCKS[Kind.TQ1_0].split(block)
    assert np.flatnonzero(trits[0]).tolist() == [3, 160 + 2 * 16 + 5, 240 + 3 * 4 + 2]
    assert scales.tolist() == [2.0]


def test_the_bits_of_a_tq2_0_block_by_hand():
    block = np.full((1, 66), 0b01010101, np.uint8)
    block[0, 32 + 7] = 0b01_10_01_00
    trits, _ = BLOCKS[Kind.TQ2_0].split(block)
    assert {int(i): int(trits[0, i]) for i in np.flatnonzero(trits[0])} == {128 + 7: -1, 128 + 2 * 32 + 7: 1}


@pytest.mark.parametrize("kind", [Kind.TQ1_0, Kind.TQ2_0])
def test_blocks_of_zeros_do_not_count(kind):
    trits, _ = ternary(kind)
    trits[2, 256:] = 0
    found, scale = ternary_of_blocks(quantize(trits * np.float32(3), kind).reshape(-1), kind, SHAPE)
    np.testing.assert_array_equal(found, trits)
    assert scale == 3.0


def scaled(data, block, value):
    data = data.copy().reshape(-1, 66)
    data[block, 64:] = np.array([value], "<f2").view(np.uint8)
    return data


@pytest.mark.parametrize(("change", "message"), [
    (lambda d: scaled(d, 3, 0.5), "expected one scale for all of its blocks, found 0.25 to 0.5: the tensor was not"),
    (lambda d: scaled(d, 3, 0), "expected blocks with positive scales, found 0$"),
    (lambda d: scaled(d, 3, -1), "expected blocks with positive scales, found -1$"),
    (lambda d: scaled(d, 3, np.nan), "expected blocks with positive scales, found nan"),
    (lambda d: d | 3, "expected two-bit codes 0 to 2, found 3"),
])
def test_other_blocks_are_refused(change, message):
    with pytest.raises(ModelError, match=message):
        ternary_of_blocks(change(ternary(Kind.TQ2_0)[1]).reshape(-1), Kind.TQ2_0, SHAPE)


def test_bytes_that_are_not_five_digits_are_refused():
    _, data = ternary(Kind.TQ1_0)
    written = set((np.arange(243) * 256 + 242) // 243)
    for byte in range(256):
        data[0] = byte
        if byte in written:
            ternary_of_blocks(data, Kind.TQ1_0, SHAPE)
        else:
            with pytest.raises(ModelError, match="expected bytes of five base-3 digits"):
                ternary_of_blocks(data, Kind.TQ1_0, SHAPE)


@pytest.mark.parametrize(("kind", "size"), [(Kind.TQ1_0, 54), (Kind.TQ2_0, 66)])
def test_zeros_alone_have_no_scale(kind, size):
    """As a quantiser writes them, and as a hole in a download does."""
    quantised = quantize(np.zeros(SHAPE, np.float32), kind).reshape(-1)
    for data in (quantised, np.zeros(12 * size, np.uint8)):
        assert ternary_of_blocks(data, kind, SHAPE)[1] == 0
    trits, scale = ternary_of_floats(np.zeros(SHAPE, np.float32))
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
