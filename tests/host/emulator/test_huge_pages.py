"""Copies of streams: where they lie, and which are worth one."""

import numpy as np

from host.emulator.huge_pages import HugePages


def test_large_streams_are_copied_to_cache_lines_and_small_ones_stay(rng):
    pages = HugePages()
    small, large, most = (rng.integers(0, 243, size, np.uint8) for size in ((1 << 18) - 1, (1 << 18) + 3, 70 << 20))
    assert pages.keep(small) is small
    copies = [pages.keep(data) for data in (large, large, most, large)]
    for copy, data in zip(copies, (large, large, most, large), strict=True):
        assert copy is not data and np.array_equal(copy, data) and copy.ctypes.data % 64 == 0
    assert copies[1].ctypes.data - copies[0].ctypes.data == (1 << 18) + 64  # one behind the other
    copies[0][:] = 0
    assert np.array_equal(copies[1], large)
