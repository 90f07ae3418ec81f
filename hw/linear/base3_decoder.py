"""One byte of the weight stream to five trits."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.machine.build import TRITS_PER_BYTE

__all__ = ["Base3Decoder", "TRIT_CODES"]

TRIT_CODES = 3**TRITS_PER_BYTE  # bytes from here on are invalid

_LOW_BITS = 6  # of a byte that one LUT takes


class Base3Decoder(wiring.Component):
    """byte -> five digits (trit + 1, so 0 to 2), first trit least significant, a cycle later.

    A byte above 242 raises `invalid` and gives five digits 1, zero trits. Eleven functions of eight bits: each is
    computed for the four values of the two upper bits, a LUT each, and chosen among behind the register, so that
    neither half is more than one level. Format: `models.machine.layout.weight_stream`.
    """

    def __init__(self) -> None:
        super().__init__({
            "byte": In(8),
            "digits": Out(data.ArrayLayout(2, TRITS_PER_BYTE)),
            "invalid": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        low, high = self.byte[:_LOW_BITS], self.byte[_LOW_BITS:]
        upper = Signal(high.shape(), reset_less=True)
        decoded = [Signal(2 * TRITS_PER_BYTE + 1, name=f"decoded_{n}", reset_less=True) for n in range(4)]
        m.d.sync += upper.eq(high)
        for n, word in enumerate(decoded):
            m.d.sync += word.eq(Array(_decoded(n << _LOW_BITS | bits) for bits in range(1 << _LOW_BITS))[low])
        chosen = Signal.like(decoded[0])
        m.d.comb += [chosen.eq(Array(decoded)[upper]), self.digits.eq(chosen[:-1]), self.invalid.eq(chosen[-1])]
        return m


def _decoded(byte: int) -> int:
    """Five digits of two bits each, first trit lowest, and above them whether the byte is invalid."""
    invalid = byte >= TRIT_CODES
    digits = [1 if invalid else byte // 3**n % 3 for n in range(TRITS_PER_BYTE)]
    return sum(digit << 2 * n for n, digit in enumerate(digits)) | invalid << 2 * TRITS_PER_BYTE
