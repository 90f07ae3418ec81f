import numpy as np
import pytest

from models.golden.head_quant import QUERY_BITS
from models.machine.kv_format import KV_FORMATS, QUERY_FORMAT, kv_format


@pytest.mark.parametrize("kv", KV_FORMATS.values(), ids=lambda kv: f"{kv.bits} bits")
def test_memory_holds_every_level(kv):
    levels = np.array([[-kv.limit, -1], [0, 1], [kv.limit, 2]])
    stored = kv.stored(levels)
    assert stored.shape == (3, kv.bytes_of(2)) and kv.elements_in(stored.size) == levels.size
    assert stored.dtype == np.uint8 and (kv.levels(stored) == levels).all()
    assert (kv.stored(levels.T) == kv.stored(levels.T.copy())).all()
    assert int.from_bytes(kv.stored(np.array([1, -1])), "little") == 1 | (1 << kv.bits) - 1 << kv.bits
    assert kv.limit < 1 << kv.bits - 1 <= kv.limit + 1


@pytest.mark.parametrize("kv", KV_FORMATS.values(), ids=lambda kv: f"{kv.bits} bits")
def test_an_output_of_the_largest_value_takes_24_bits(kv):
    """docs/numerics.md, section 7: |O| <= 2**24, its unit 2**(E - 3 - f) where a value's scale is below 2**(E + 1)."""
    assert kv.limit << kv.output_fraction + 4 <= 1 << 24 < kv.limit + 2 << kv.output_fraction + 4


def test_formats_are_found_by_width():
    assert kv_format(8) is KV_FORMATS[8] and QUERY_FORMAT.bits == QUERY_BITS
    with pytest.raises(ValueError, match="^kv_bits must be 8 or 16, got 4$"):
        kv_format(4)
