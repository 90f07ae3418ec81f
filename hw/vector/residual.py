"""The residual addition: a linear layer's sums, rescaled, onto the int32 stream."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.pipeline import Pipeline
from hw.arith.rounding import saturate
from hw.arith.scalar import SCALAR
from hw.arith.scale_round import ScaleRound
from hw.vector.channel_memories import RESIDUAL_WRITE

__all__ = ["ResidualAdd", "ResidualWriter"]


class ResidualAdd(wiring.Component):
    """h + sum * scale * 2**fraction_bits, saturated to 32 bits; one channel a cycle.

    Contract: golden `residual_add` without its tap (docs/numerics.md §9), which acts on the result:
    `saturated` is set on channels the addition clipped. `scale` and `fraction_bits` hold still while
    elements are inside; `user` travels along. The sum of two 32-bit values takes signed(33).

    i: {h: signed(32), sum: signed(24), user}; o: {h: signed(32), saturated, user}. Latency `LATENCY`.
    """

    LATENCY = ScaleRound.LATENCY + 2

    def __init__(self, user_layout=0):
        self._user_layout = user_layout
        operand = {"h": signed(32), "sum": signed(24), "user": user_layout}
        result = {"h": signed(32), "saturated": 1, "user": user_layout}
        super().__init__({
            "scale": In(SCALAR),
            "fraction_bits": In(signed(8)),
            "i": In(stream.Signature(data.StructLayout(operand))),
            "o": Out(stream.Signature(data.StructLayout(result))),
        })

    def elaborate(self, platform):
        m = Module()
        carried = data.StructLayout({"h": signed(32), "user": self._user_layout})
        m.submodules.rescale = rescale = ScaleRound(24, 32, carried)
        m.d.comb += [
            rescale.i.valid.eq(self.i.valid),
            self.i.ready.eq(rescale.i.ready),
            rescale.i.p.x.eq(self.i.p.sum),
            rescale.i.p.a.eq(self.scale),
            rescale.i.p.fraction.eq(self.fraction_bits),
            rescale.i.p.user.h.eq(self.i.p.h),
            rescale.i.p.user.user.eq(self.i.p.user),
        ]
        p = Pipeline(m, rescale.o, self.o)
        total, user = p.step(rescale.o.p.y + rescale.o.p.user.h, rescale.o.p.user.user)
        h = saturate(total, 32)
        h, saturated, user = p.step(h, h != total, user)
        p.finish(h=h, saturated=saturated, user=user)
        return m


class ResidualWriter(wiring.Component):
    """Numbers the values of a row that come back, from `base` on, as writes to the residual memory.

    `start` begins a row; then each cycle with `valid` is its next channel. The writes on `o` come one cycle later and
    must be taken at once. `done` pulses when the row's `last` one is written.
    """

    def __init__(self):
        super().__init__({
            "start": In(1),
            "base": In(16),
            "valid": In(1),
            "h": In(signed(32)),
            "last": In(1),
            "o": Out(stream.Signature(RESIDUAL_WRITE)),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        index, last = Signal(16, reset_less=True), Signal(reset_less=True)
        m.d.comb += self.o.p.index.eq(index)
        m.d.sync += [self.o.valid.eq(self.valid), self.o.p.h.eq(self.h), last.eq(self.last),
                     self.done.eq(self.o.valid & last)]
        with m.If(self.o.valid):
            m.d.sync += index.eq(index + 1)
        with m.If(self.start):
            m.d.sync += index.eq(self.base)
        return m
