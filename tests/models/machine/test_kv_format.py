import numpy as np
import pytest

from models.golden.head_quant import QUERY_BITS
from models.machine.kv_format import KV_FORMATS, QUERY_FORMAT, kv_format


@pytest.mark.parametrize("kv", KV_FORMATS.values(), ids=lambda kv: f"{kv.bits} bits")
def test_memory_holds_every_level(kv):
    levels = np.array([-kv.limit, -1, 0, 1, kv.limit])
    stored = levels.astype(kv.dtype).view(np.uint8)
    assert stored.size == kv.bytes_of(levels.size) and kv.elements_in(stored.size) == levels.size
    assert (stored.view(kv.dtype) == levels).all()
    assert kv.limit < 1 << kv.bits - 1 <= kv.limit + 1


@pytest.mark.parametrize("kv", KV_FORMATS.values(), ids=lambda kv: f"{kv.bits} bits")
def test_an_output_of_the_largest_value_takes_24_bits(kv):
    """docs/numerics.md, section 7: |O| <= 2**24, its unit 2**(E - 3 - f) where a value's scale is below 2**(E + 1)."""
    assert kv.limit << kv.output_fraction + 4 <= 1 << 24 < kv.limit + 2 << kv.output_fraction + 4


def test_formats_are_found_by_width():
    assert kv_format(8) is KV_FORMATS[8] and QUERY_FORMAT.bits == QUERY_BITS
    with pytest.raises(ValueError, match="^kv_bits must be 8 or 16, got 4$"):
        kv_format(4)
