"""Softmax numerators, their sums, and the weights that multiply the values."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arith.pipeline import Pipeline
from hw.arith.product import PRODUCT_STEPS, product_steps
from hw.arith.rounding import shift_sticky
from hw.arith.scalar import from_word
from hw.attention.exp2_negative import Exp2Negative
from hw.attention.score_scale import SCORE_BITS
from models.machine.scalar_format import MANTISSA_BITS
from models.machine.tables import P_FRACTION

__all__ = ["WEIGHT_BITS", "Softmax"]

WEIGHT_BITS = MANTISSA_BITS
_DISTANCE_MAX = 24  # a weight is below 2**(24 - distance): from 25 on it rounds to zero


class Softmax(wiring.Component):
    """From the scores of a group to weights w = round(p * m / 2**(20 + top - e)), p = exp2_negative(max - score).

    A pulse on `start`, with the scores complete, makes one pass over `count` scores in order of token
    and head, one a cycle, and gives their weights in the same order, the first `LATENCY` cycles
    later. Backpressure stops the whole pass. The sum of each head's p is final when its last weight
    appears and stays until the next start: `total` of head `total_head`, combinational.

    Reads ahead of its pipeline with `enable`: `address` → `score` one cycle later, `maximum_head` →
    `maximum` at once, `token` → `value_scale`, a memory word m * 2**(e - 23), two cycles later. `largest` is top,
    the largest exponent among the nonzero value scales. Golden: `p`, `w` and `p.sum()` of `attention`,
    docs/numerics.md §7.

    Widths: delta unsigned(32), p unsigned(21), p * m unsigned(45), weights unsigned(24), sums
    unsigned(21 + log2 context_max).
    """

    LATENCY = 3 + Exp2Negative.LATENCY + PRODUCT_STEPS + 4

    def __init__(self, *, group_max: int, context_max: int):
        self._group_max = group_max
        self._total_bits = P_FRACTION + 1 + ceil_log2(context_max)
        head = range(group_max)
        super().__init__({
            "start": In(1),
            "group_last": In(head),
            "count": In(range(group_max * context_max + 1)),
            "largest": In(signed(8)),
            "enable": Out(1),
            "address": Out(range(group_max * context_max)),
            "score": In(signed(SCORE_BITS)),
            "maximum_head": Out(head),
            "maximum": In(signed(SCORE_BITS)),
            "token": Out(range(context_max)),
            "value_scale": In(32),
            "o": Out(stream.Signature(data.StructLayout({"weight": WEIGHT_BITS}))),
            "total_head": In(head),
            "total": Out(self._total_bits),
        })

    def elaborate(self, platform):
        m = Module()
        head = Signal(range(self._group_max))
        factor = data.StructLayout({"m": unsigned(MANTISSA_BITS), "shift": 5, "vanishes": 1,
                                    "head": head.shape(), "first": 1})
        m.submodules.exp2 = exp2 = Exp2Negative(factor)
        issue = stream.Signature(0).create()

        # the pass: score and value scale of the next token and head
        left = Signal.like(self.count)
        m.d.comb += issue.valid.eq(left != 0)
        with m.If(self.start):
            m.d.sync += [left.eq(self.count), self.address.eq(0), self.token.eq(0), head.eq(0)]
        with m.Elif(issue.valid & issue.ready):
            m.d.sync += [left.eq(left - 1), self.address.eq(self.address + 1), head.eq(head + 1)]
            with m.If(head == self.group_last):
                m.d.sync += [head.eq(0), self.token.eq(self.token + 1)]

        p = Pipeline(m, issue, exp2.i)
        m.d.comb += self.enable.eq(p.advance)
        head, first = p.step(head, self.token == 0)
        m.d.comb += self.maximum_head.eq(head)
        maximum, score, head, first = p.step(self.maximum, self.score, head, first)
        mantissa, exponent = from_word(self.value_scale)
        delta, distance, mantissa, head, first = p.step(
            (maximum - score)[:SCORE_BITS], self.largest - exponent, mantissa, head, first)
        user = Signal(factor)
        m.d.comb += [user.m.eq(mantissa), user.shift.eq(distance), user.vanishes.eq(distance > _DISTANCE_MAX),
                     user.head.eq(head), user.first.eq(first)]
        p.finish(delta=delta, user=user)

        self._elaborate_totals(m, exp2.o)
        self._elaborate_weights(m, exp2.o)
        return m

    def _elaborate_totals(self, m: Module, numerators) -> None:
        m.submodules.totals = totals = Memory(shape=self._total_bits, depth=self._group_max, init=[])
        write, read = totals.write_port(), totals.read_port(domain="comb")
        user = numerators.p.user
        m.d.comb += [
            read.addr.eq(Mux(numerators.valid, user.head, self.total_head)),
            self.total.eq(read.data),
            write.addr.eq(user.head),
            write.data.eq(Mux(user.first, 0, read.data) + numerators.p.p),
            write.en.eq(numerators.valid & numerators.ready),
        ]

    def _elaborate_weights(self, m: Module, numerators) -> None:
        user = numerators.p.user
        p = Pipeline(m, numerators, self.o)
        product, shift, vanishes = product_steps(p, user.m, numerators.p.p, user.shift, user.vanishes)
        # one guard bit below the unit; the product is below 2**(P_FRACTION + MANTISSA_BITS)
        low = P_FRACTION - 1
        shifted, sticky, shift, vanishes = p.step(
            product[low:P_FRACTION + MANTISSA_BITS], product[:low].any(), shift, vanishes)
        shifted, sticky = shift_sticky(shifted, sticky, shift[3:], unit=8)
        shifted, sticky = shift_sticky(shifted, sticky, shift[2:3], unit=4)
        shifted, sticky, shift, vanishes = p.step(shifted, sticky, shift[:2], vanishes)
        shifted, sticky = shift_sticky(shifted, sticky, shift)
        quotient, up, vanishes = p.step(shifted[1:], shifted[0] & (sticky | shifted[1]), vanishes)
        weight, = p.step(Mux(vanishes, 0, (quotient + up)[:WEIGHT_BITS]))
        p.finish(weight=weight)
