"""The index of three trits: each its own, as the rule in words has it, on bits of Python."""

from __future__ import annotations

from itertools import product

from hw.linear.group_index import ENTRIES, INDEX_BITS, group_index


def index(digits):
    bits = group_index([digit >> bit & 1 for digit in digits for bit in range(2)])
    assert len(bits) == INDEX_BITS and set(bits) <= {0, 1}
    return sum(bit << n for n, bit in enumerate(bits))


def test_each_group_has_its_own_index():
    assert len({index(digits) for digits in product(range(3), repeat=3)}) == ENTRIES == 27


def test_the_rule():
    """{d2, d1, d0}; with d2 = 2 {d1, 3, d0}, and {0, d0, 3} where d1 is 2 as well."""
    for d0, d1, d2 in product(range(3), repeat=3):
        high, middle, low = (d2, d1, d0) if d2 < 2 else (d1, 3, d0) if d1 < 2 else (0, d0, 3)
        assert index((d0, d1, d2)) == high << 4 | middle << 2 | low
