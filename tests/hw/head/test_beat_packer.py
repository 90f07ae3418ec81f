# amaranth: UnusedElaboratable=no
"""Beat packer: items of four and eight bytes, whole and partial last beats, rows one by one and all together."""

from __future__ import annotations

import pytest

from hw.head.beat_packer import BeatPacker
from sim.runner import run_bench


@pytest.mark.parametrize("item_bits", [pytest.param(32, marks=pytest.mark.slow), 64])
def test_bench(item_bits):
    cases = [{"rows": rows, "length": length, "by_items": by_items, "base": base, "stride": 16 * stride}
             for rows, length, by_items, base, stride in (
                 (1, 1, 0, 0, 0), (3, 8, 0, 1 << 20, 4), (3, 8, 1, 16, 4), (3, 5, 1, 2**40 - 16 * 90, 30),
                 (2, 7, 0, 48, 2**20), (3, 1, 1, 64, 1), (1, 33, 0, 4096, 0))]
    run_bench(BeatPacker(item_bits, 3), "tests.hw.head.beat_packer_bench", {"item_bits": item_bits, "cases": cases})


@pytest.mark.parametrize("item_bits", [12, 48, 128])
def test_items_are_checked(item_bits):
    with pytest.raises(ValueError, match=f"must fill a beat of 128 bits, got {item_bits}"):
        BeatPacker(item_bits, 1)
