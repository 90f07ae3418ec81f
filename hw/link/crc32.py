"""CRC-32 of IEEE 802.3, a byte a cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Crc32"]

_BITS = 32
_POLYNOMIAL = 0xEDB88320  # reflected: bit 31 is the coefficient of x^0
_RESIDUE = 0xDEBB20E3  # what the register is behind bytes and their own CRC, least significant byte first


class Crc32(wiring.Component):
    """`sum` is the CRC of the bytes that came with `enable` since `clear`, as `zlib.crc32`; a cycle behind the last.

    `clear` goes before `enable`. matches: the last four of those bytes are the CRC of those before them.
    """

    def __init__(self) -> None:
        super().__init__({"clear": In(1), "enable": In(1), "byte": In(8), "sum": Out(_BITS), "matches": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        state = Signal(_BITS, init=-1)
        bits = Cat(state, self.byte)
        m.d.comb += [self.sum.eq(~state), self.matches.eq(state == _RESIDUE)]
        with m.If(self.enable):
            m.d.sync += state.eq(Cat(Cat(bits[n] for n in sorted(terms)).xor() for terms in _next_terms()))
        with m.If(self.clear):
            m.d.sync += state.eq(-1)
        return m


def _next_terms() -> list[set[int]]:
    """Of each bit of the next state: which bits of the state (0 to 31) and of the byte (from 32 on) it is the sum of.

    As sums: a chain of eight steps would be eight levels.
    """
    state: list[set[int]] = [{n} for n in range(_BITS)]
    for n in range(8):
        out = state[0] ^ {_BITS + n}
        state = [*state[1:], set()]
        state = [terms ^ out if _POLYNOMIAL >> bit & 1 else terms for bit, terms in enumerate(state)]
    return state
