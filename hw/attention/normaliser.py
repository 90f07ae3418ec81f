"""Division of the weighted sums by the sum of the softmax numerators."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.arith.pipeline import Pipeline
from hw.arith.rounding import round_shift
from hw.arith.scalar import SCALAR, scalar_const
from hw.arith.scalar_unit import ScalarOp, ScalarUnit
from hw.arith.scale_round import ScaleRound
from models.machine.build import PORT_BYTES

__all__ = ["OUTPUT_BITS", "Normaliser", "output_fraction"]

OUTPUT_BITS = 26  # |o| <= 2**24, docs/numerics.md §7
_VALUE_BITS = 24 - 4  # of an output below its unit, for values of magnitude 1


def output_fraction(kv_bits: int) -> int:
    """Fraction bits of an output, in units of the group's largest value scale."""
    return _VALUE_BITS - (kv_bits - 1)


class Normaliser(wiring.Component):
    """o = scale_round(round(sum / 2**drop), 1 / total, fraction + drop) for all channels of a group.

    A pulse on `start` begins with head 0 of the group; for each head the unit forms the reciprocal of
    its `total` (about 45 cycles), then gives its `dim` channels one a cycle. `done` pulses after the
    last is out. Output is always taken. The memories behind `head` and `chunk` answer combinationally
    and must hold still from start to done. Golden: `reciprocal`, `total` and `out` of `attention`;
    drop = kv_bits - 3, fraction = 20 - (kv_bits - 1). docs/numerics.md §7.

    Widths: sums signed(sum_bits), rounded to sum_bits - drop + 1 <= 40 bits; outputs signed(26), |o| <= 2**24
    for sums that weights can give.
    """

    def __init__(self, *, kv_bits: int, dim_max: int, group_max: int, sum_bits: int, total_bits: int):
        self._lanes = PORT_BYTES * 8 // kv_bits
        self._drop = kv_bits - 3
        self._fraction = output_fraction(kv_bits) + self._drop
        self._x_bits = sum_bits - self._drop + 1
        self._dim_max = dim_max
        head = range(group_max)
        super().__init__({
            "start": In(1),
            "group_last": In(head),
            "dim": In(range(dim_max + 1)),
            "head": Out(head),
            "chunk": Out(range(-(-dim_max // self._lanes))),
            "total": In(total_bits),
            "sums": In(data.ArrayLayout(signed(sum_bits), self._lanes)),
            "o": Out(stream.Signature(signed(OUTPUT_BITS))),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.scalar = scalar = ScalarUnit()
        m.submodules.rounding = rounding = ScaleRound(self._x_bits, OUTPUT_BITS, 1)
        total, reciprocal = Signal(SCALAR, reset_less=True), Signal(SCALAR, reset_less=True)
        channel = Signal(range(self._dim_max + 1))
        issue = stream.Signature(0).create()
        head_end = self.head == self.group_last
        dim_end = channel == self.dim - 1

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += self.head.eq(0)
                with m.If(self.start):
                    m.next = "TOTAL"
            with m.State("TOTAL"):
                m.d.comb += [scalar.i.valid.eq(1), scalar.i.p.op.eq(ScalarOp.FROM_INT),
                             scalar.i.p.n.eq(self.total)]
                with m.If(scalar.i.ready):
                    m.next = "TOTAL WAIT"
            with m.State("TOTAL WAIT"):
                m.d.comb += scalar.o.ready.eq(1)
                m.d.sync += total.eq(scalar.o.p)
                with m.If(scalar.o.valid):
                    m.next = "DIVIDE"
            with m.State("DIVIDE"):
                m.d.comb += [scalar.i.valid.eq(1), scalar.i.p.op.eq(ScalarOp.DIV),
                             scalar.i.p.a.eq(scalar_const(1)), scalar.i.p.b.eq(total)]
                with m.If(scalar.i.ready):
                    m.next = "DIVIDE WAIT"
            with m.State("DIVIDE WAIT"):
                m.d.comb += scalar.o.ready.eq(1)
                m.d.sync += [reciprocal.eq(scalar.o.p), channel.eq(0)]
                with m.If(scalar.o.valid):
                    m.next = "CHANNELS"
            with m.State("CHANNELS"):
                m.d.comb += issue.valid.eq(1)
                m.d.sync += channel.eq(channel + 1)
                with m.If(dim_end):
                    m.d.sync += self.head.eq(Mux(head_end, 0, self.head + 1))
                    with m.If(head_end):
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "TOTAL"

        self._elaborate_channels(m, issue, channel, dim_end & head_end, reciprocal, rounding)
        return m

    def _elaborate_channels(self, m, issue, channel, last, reciprocal, rounding) -> None:
        """Pick the channel's sum in two levels of multiplexers, drop the low bits, scale."""
        lane_bits = ceil_log2(self._lanes)
        m.d.comb += self.chunk.eq(channel >> lane_bits)
        p = Pipeline(m, issue, rounding.i)
        fours = [Array(self.sums[lane] for lane in range(low, self._lanes, 4))[channel[2:lane_bits]]
                 for low in range(4)]
        *candidates, low, last = p.step(*fours, channel[:2], last)
        chosen, last = p.step(Array(candidates)[low], last)
        dropped, last = p.step(round_shift(chosen, self._drop), last)
        # the next head's reciprocal is ready long after this head's last sum has left
        p.finish(x=dropped, a=reciprocal, fraction=self._fraction, user=last)
        m.d.comb += [
            rounding.o.ready.eq(1),
            self.o.valid.eq(rounding.o.valid),
            self.o.payload.eq(rounding.o.p.y),
        ]
        m.d.sync += self.done.eq(rounding.o.valid & rounding.o.p.user)
