import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType as Kind
from gguf.quants import dequantize, quantize

from models.errors import ModelError
from models.formats.gguf_blocks import BLOCKS, floats_of_blocks, grouped_of_blocks, ternary_of_blocks, uniform
from models.formats.gguf_file import Q2_0_128
from tests.models.formats.ternary_blocks import BLOCK_TYPES, decoded, encoded

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


def number_of(kind):
    return Q2_0_128 if kind == "Q2_0 of 128" else BLOCK_TYPES[kind][0]


def varied(kind, shape=(5, 1024), seed=0):
    """Trits and scales of 128 inputs, or of a block that has more, with a group of zeros."""
    rng, weights = np.random.default_rng(seed), max(128, BLOCK_TYPES[kind][1])
    trits = rng.integers(-1, 2, shape).astype(np.int8)
    scales = np.float16(np.exp(rng.standard_normal((shape[0], shape[1] // weights))))
    trits[2, :weights] = 0
    stored = encoded(kind, trits, np.repeat(scales, weights // BLOCK_TYPES[kind][1], axis=1))
    return trits, scales, np.frombuffer(stored, np.uint8)


@pytest.mark.parametrize("kind", BLOCK_TYPES)
def test_every_weight_is_the_definitions(kind):
    trits, scales, data = varied(kind)
    expected, number = decoded(kind, data.tobytes(), trits.shape), number_of(kind)
    linear = grouped_of_blocks(data, number, trits.shape)
    np.testing.assert_array_equal(linear.signs, trits, strict=True)
    np.testing.assert_array_equal(linear.values(), expected)
    np.testing.assert_array_equal(floats_of_blocks(data, number, trits.shape[1]), expected)
    assert not uniform(data, number)
    plain = np.frombuffer(encoded(kind, trits, np.full((5, 1024 // BLOCK_TYPES[kind][1]), 0.5)), np.uint8)
    assert uniform(plain, number) and ternary_of_blocks(plain, number, trits.shape)[1] == 0.5
    if kind in ("TQ1_0", "TQ2_0"):
        np.testing.assert_array_equal(dequantize(data.reshape(5, -1), Kind(number)), expected)


@pytest.mark.parametrize("kind", ["Q2_0", "Q2_0 of 128", "PQ2_0"])
def test_code_3_is_no_trit(kind):
    data = varied(kind)[2].copy()
    data[7] |= 3
    for read in (grouped_of_blocks, ternary_of_blocks):
        with pytest.raises(ModelError, match="codes 0 to 2, found 3, which stands for twice the scale and is not tern"):
            read(data, number_of(kind), (5, 1024))


def test_halves_of_a_group_share_a_scale_or_have_none():
    trits = np.ones((1, 256), np.int8)
    trits[0, 64:128] = 0
    found = grouped_of_blocks(np.frombuffer(encoded("Q2_0", trits, np.array([[2, 3, 4, 4]])), np.uint8), 42, (1, 256))
    assert found.scales.tolist() == [[2, 4]]
    other = np.frombuffer(encoded("Q2_0", trits, np.array([[2, 2, 4, 5]])), np.uint8)
    with pytest.raises(ModelError, match="expected one scale for 128 inputs of a row, found 4 and 5"):
        grouped_of_blocks(other, 42, (1, 256))


def test_digits_behind_four_are_refused():
    """A byte of five digits at the place of four contradicts the layout."""
    data = varied("PTQ1_0")[2].copy()
    data[24] = -(-121 * 256 // 243)
    with pytest.raises(ModelError, match="expected bytes of five base-3 digits, found others"):
        grouped_of_blocks(data, 143, (5, 1024))


@pytest.mark.parametrize(("scale", "found"), [(0, "0"), (-1, "-1"), (np.nan, "nan"), (np.inf, "inf")])
def test_weights_have_a_positive_scale(scale, found):
    data = varied("PQ2_0")[2].copy()
    data[:2] = np.array([scale], "<f2").view(np.uint8)
    with pytest.raises(ModelError, match=f"expected blocks with positive scales, found {found}$"):
        grouped_of_blocks(data, 142, (5, 1024))


def test_rows_are_whole_groups():
    data = np.frombuffer(encoded("Q2_0", np.ones((2, 192), np.int8), np.array([[1, 2, 3]] * 2)), np.uint8)
    with pytest.raises(ModelError, match="expected whole groups of 128 inputs, which share a scale, found 192 inputs"):
        grouped_of_blocks(data, 42, (2, 192))
