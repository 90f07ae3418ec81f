import numpy as np
import pytest

from models.checkpoint import load_model
from models.errors import ModelError
from models.formats.gguf_i2_s import I2_S_WIDTH, ROWS, find_width, unpack_i2_s
from tests.models.formats.gguf_files import i2_s

SHAPE = 8, 256


def trits(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).integers(-1, 2, shape).astype(np.int8)


@pytest.mark.parametrize("width", [I2_S_WIDTH, 16, ROWS])
def test_every_layout_comes_back(width):
    expected = trits()
    found, scale = unpack_i2_s(i2_s(expected, 0.5, width or SHAPE[1]), SHAPE, width)
    np.testing.assert_array_equal(found, expected, strict=True)
    assert scale == 0.5


def test_blocks_run_on_from_row_to_row():
    expected = trits((4, 32))
    np.testing.assert_array_equal(unpack_i2_s(i2_s(expected, 1), (4, 32))[0], expected)


def test_a_byte_by_hand():
    data = np.full(32 + 32, 0b01010101, np.uint8)
    data[5] = 0b10_00_01_10
    data[32:36] = np.array([1.5], "<f4").view(np.uint8)
    found, _ = unpack_i2_s(data, (1, 128))
    assert {int(i): int(found[0, i]) for i in np.flatnonzero(found)} == {5: 1, 37: -1, 101: 1}


@pytest.mark.parametrize(("change", "width", "message"), [
    (lambda d: d.__setitem__(7, 0b00_11_00_00), I2_S_WIDTH, "expected two-bit codes 0 to 2, found 3"),
    (lambda d: d[-32:-28].view("<f4").__setitem__(0, -1), I2_S_WIDTH, "expected a positive scale, found -1"),
    (lambda d: d[-32:-28].view("<f4").__setitem__(0, np.nan), I2_S_WIDTH, "expected a positive scale, found nan"),
])
def test_damage_is_refused(change, width, message):
    data = i2_s(trits(), 0.5)
    change(data)
    with pytest.raises(ModelError, match=message):
        unpack_i2_s(data, SHAPE, width)


def test_shapes_of_no_whole_blocks_are_refused():
    with pytest.raises(ModelError, match=r"expected whole blocks of 128 values, found shape \[3, 20\]"):
        unpack_i2_s(np.zeros(47, np.uint8), (3, 20))
    with pytest.raises(ModelError, match=r"expected whole blocks of four rows, found shape \[6, 64\]"):
        unpack_i2_s(np.zeros(128, np.uint8), (6, 64), ROWS)


@pytest.mark.parametrize("width", [I2_S_WIDTH, 16, ROWS])
@pytest.mark.parametrize("layer", [0, 3, 5])
def test_a_trained_model_tells_its_layout(width, layer):
    linears = load_model("demo").layers[layer].linears
    up, down = linears["up"].trits(), linears["down"].trits()
    ffn, hidden = up.shape
    assert find_width(i2_s(up, 1, width or hidden), i2_s(down, 1, width or ffn), hidden, ffn) == width


@pytest.mark.parametrize("seed", range(20))
def test_random_weights_do_not_tell(seed):
    up, down = i2_s(trits((256, 128), seed), 1), i2_s(trits((128, 256), seed + 100), 1)
    assert find_width(up, down, 128, 256) is None


def test_weights_that_say_nothing_at_all():
    ones = i2_s(np.ones((256, 128), np.int8), 1)
    assert find_width(ones, ones, 128, 256) is None
