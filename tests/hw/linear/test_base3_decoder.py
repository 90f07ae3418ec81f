# amaranth: UnusedElaboratable=no
"""Base-3 decoder against the format's packing of five trits, for every byte."""

from __future__ import annotations

from itertools import product

import numpy as np

from hw.linear.base3_decoder import Base3Decoder
from tests.hw.cycle_table import check_cycles

DIGITS = {sum(digit * 3**n for n, digit in enumerate(digits)): list(digits) for digits in product(range(3), repeat=5)}


def test_every_byte():
    """A byte is decoded a cycle after `enable`, and stays until the next one."""
    rng = np.random.default_rng(1)
    taken = [*range(256), *rng.permutation(256).tolist()]
    bytes_, enable, digits, invalid, held = [], [], [], [], None
    for byte in taken:
        for on in (*(0,) * int(rng.integers(0, 2)), 1):
            bytes_.append(byte if on else int(rng.integers(256)))
            enable.append(on)
            digits.append(None if held is None else DIGITS.get(held, [1] * 5))
            invalid.append(None if held is None else int(held not in DIGITS))
            held = byte if on else held
    check_cycles(Base3Decoder(), inputs={"byte": bytes_, "enable": enable},
                 outputs={"digits": digits, "invalid": invalid})
