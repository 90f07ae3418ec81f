"""The address of a group of three trits in its look-up table."""

from __future__ import annotations

from models.machine.build import TRITS_PER_GROUP

__all__ = ["ENTRIES", "INDEX_BITS", "group_index"]

ENTRIES = 3**TRITS_PER_GROUP
INDEX_BITS = 5


def group_index(bits) -> tuple:
    """The five index bits, lowest first, of three digits of two bits each, first trit's lowest bit first.

    Works on 0 and 1 as on one-bit values of the hardware. Digits d0, d1, d2 (trit + 1, 0 to 2) with d2 < 2
    make the index {d2, d1, d0}, 1 + 2 + 2 bits, of which each pair is below 3. With d2 = 2 the index is
    one of the others: {d1, 3, d0} for d1 < 2, {0, d0, 3} for d1 = 2. That takes two and a half 6-input LUTs
    a group; d0 + 3 d1 + 9 d2 would take five.
    """
    d0_0, d0_1, d1_0, d1_1, d2_0, d2_1 = bits
    both = d1_1 & d2_1
    return (
        d0_0 | both,
        d0_1 | both,
        (d2_1 & (d1_1 ^ 1 | d0_0)) | (d2_1 ^ 1) & d1_0,
        (d2_1 & (d1_1 ^ 1 | d0_1)) | (d2_1 ^ 1) & d1_1,
        d2_0 | d2_1 & d1_0,
    )
