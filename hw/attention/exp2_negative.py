"""Powers of two with negative exponents, the softmax's numerators."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arith.product import PRODUCT_STEPS, product_steps
from hw.arith.rounding import shift_sticky
from hw.stream.pipeline import Pipeline
from models.machine.tables import EXP2_COARSE, EXP2_FINE, EXP2_FRACTION, P_FRACTION

__all__ = ["Exp2Negative"]

_ROM_BITS = EXP2_FRACTION // 2


class Exp2Negative(wiring.Component):
    """p = round(2**(20 - delta / 2**12)), one a cycle, `LATENCY` cycles later.

    Contract: golden `exp2_negative` bit for bit (docs/numerics.md §6): the product of two 64-entry
    tables of 21 bits, shifted right by 20 + floor(delta / 2**12) and rounded half to even once. From a
    whole part of 21 on at most half a unit is left, which rounds to 0.

    i: {delta: unsigned(32), user}; o: {p: unsigned(21), 0 .. 2**20, user}. `user` travels along.
    Backpressure stops the whole pipeline (`Pipeline`).
    """

    LATENCY = 6 + PRODUCT_STEPS

    def __init__(self, user_layout=0) -> None:
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"delta": unsigned(32), "user": user_layout}))),
            "o": Out(stream.Signature(data.StructLayout({
                "p": unsigned(P_FRACTION + 1), "user": user_layout}))),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        p = Pipeline(m, self.i, self.o, platform)
        delta = self.i.p.delta

        factors = []
        for name, table, low in (("coarse", EXP2_COARSE, _ROM_BITS), ("fine", EXP2_FINE, 0)):
            m.submodules[name] = rom = Memory(
                shape=P_FRACTION + 1, depth=len(table), init=table.tolist())
            read = rom.read_port()
            m.d.comb += [read.addr.eq(delta[low:low + _ROM_BITS]), read.en.eq(p.advance)]
            factors.append(read.data)
        whole = delta[EXP2_FRACTION:]
        vanishes, shift, user = p.step(whole > P_FRACTION, whole[:5], self.i.p.user)

        coarse, fine, vanishes, shift, user = p.step(*factors, vanishes, shift, user)
        product, vanishes, shift, user = product_steps(p, coarse, fine, vanishes, shift, user)
        # one guard bit below the unit; the product is at most 2**(2 * P_FRACTION)
        shifted, sticky, vanishes, shift, user = p.step(
            product[P_FRACTION - 1:2 * P_FRACTION + 1], product[:P_FRACTION - 1].any(), vanishes, shift, user)
        shifted, sticky = shift_sticky(shifted, sticky, shift[3:], unit=8)
        shifted, sticky = shift_sticky(shifted, sticky, shift[2:3], unit=4)
        shifted, sticky, vanishes, shift, user = p.step(shifted, sticky, vanishes, shift[:2], user)
        shifted, sticky = shift_sticky(shifted, sticky, shift)
        up = shifted[0] & (sticky | shifted[1])
        quotient, up, vanishes, user = p.step(shifted[1:], up, vanishes, user)
        numerator, user = p.step(Mux(vanishes, 0, (quotient + up)[:P_FRACTION + 1]), user)
        p.finish(p=numerator, user=user)
        return m
