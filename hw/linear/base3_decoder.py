"""One byte of the weight stream to five trits."""

from __future__ import annotations

from amaranth.hdl import Array, Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.machine.build import TRITS_PER_BYTE

__all__ = ["Base3Decoder", "TRIT_CODES"]

TRIT_CODES = 3**TRITS_PER_BYTE  # bytes from here on are invalid


def _digits(byte: int) -> int:
    """The five digits of a byte, two bits each, first trit lowest; an invalid byte is five zero trits."""
    digits = [byte // 3**n % 3 if byte < TRIT_CODES else 1 for n in range(TRITS_PER_BYTE)]
    return sum(digit << 2 * n for n, digit in enumerate(digits))


class Base3Decoder(wiring.Component):
    """byte -> five digits (trit + 1, so 0 to 2), first trit least significant, combinational.

    A byte above 242 raises `invalid` and gives five digits 1, zero trits. Ten functions of eight bits: two
    LUT levels. Format: `models.machine.layout.weight_stream`.
    """

    def __init__(self):
        super().__init__({
            "byte": In(8),
            "digits": Out(data.ArrayLayout(2, TRITS_PER_BYTE)),
            "invalid": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.digits.eq(Array(_digits(byte) for byte in range(256))[self.byte]),
            self.invalid.eq(self.byte >= TRIT_CODES),
        ]
        return m
