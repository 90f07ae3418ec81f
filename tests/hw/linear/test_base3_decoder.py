# amaranth: UnusedElaboratable=no
"""Base-3 decoder against the format's packing of five trits, for every byte."""

from __future__ import annotations

from itertools import product

from hw.linear.base3_decoder import Base3Decoder
from tests.hw.cycle_table import check_cycles

DIGITS = {sum(digit * 3**n for n, digit in enumerate(digits)): list(digits) for digits in product(range(3), repeat=5)}


def test_every_byte():
    """Each is decoded a cycle later."""
    decoded = [DIGITS.get(byte, [1] * 5) for byte in range(256)]
    check_cycles(Base3Decoder(), inputs={"byte": [*range(256), 0]},
                 outputs={"digits": [None, *decoded], "invalid": [None, *(int(n not in DIGITS) for n in range(256))]})
