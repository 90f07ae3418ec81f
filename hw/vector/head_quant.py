"""Quantisation of queries, keys and values: each head by its own absolute maximum."""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.rounding import saturate
from hw.arith.scalar import SCALAR, scalar_const
from hw.arith.scalar_steps import ScalarSteps
from hw.arith.scalar_unit import ScalarOp, ScalarPort
from hw.arith.scale_round import ScaleRound

__all__ = ["HeadQuant"]


class HeadQuant(wiring.Component):
    """Quantise head after head to 16 bits, or to 8 where `narrow` is set.

    Contract: golden `head_quant(x, scale, bits)` (docs/numerics.md §6). A head comes in whole on `i`; then its
    channels leave on `o`, within ±32767 or ±127, and the value of one of their units on `o_scale`, once a head, in
    any order of the two. The next head comes in when both were taken. `scale` (value of one unit of x) and
    `narrow` hold still while a head is inside. Scalar operations go through `scalar`.

    Widths: x signed(x_width), x_width <= 40; the largest |x| takes x_width bits, so that the minimum is allowed.
    Throughput: two cycles a channel and about 70 cycles a head.
    """

    def __init__(self, dim_max: int, x_width: int = 30):
        if dim_max < 1:
            raise ValueError(f"dim_max must be positive, got {dim_max}")
        self._dim_max, self._x_width = dim_max, x_width
        super().__init__({
            "scale": In(SCALAR),
            "narrow": In(1),
            "i": In(stream.Signature(data.StructLayout({"x": signed(x_width), "last": 1}))),
            "o": Out(stream.Signature(data.StructLayout({"value": signed(16), "last": 1}))),
            "o_scale": Out(stream.Signature(SCALAR)),
            "scalar": Out(ScalarPort()),
        })

    def elaborate(self, platform):
        m = Module()
        last = data.StructLayout({"last": 1})
        m.submodules.head = head = memory.Memory(shape=signed(self._x_width), depth=self._dim_max, init=[])
        m.submodules.quantise = quantise = ScaleRound(self._x_width, 16, last)
        write, read = head.write_port(), head.read_port()

        index, end = Signal(range(self._dim_max)), Signal(range(self._dim_max))
        size, size_valid = Signal(self._x_width, reset_less=True), Signal()
        largest = Signal(self._x_width)
        length, multiplier, product, step = (Signal(SCALAR, reset_less=True) for _ in range(4))
        scale_pending, reading = Signal(), Signal()
        fetched, fetched_last = Signal(), Signal()

        m.d.comb += [
            write.addr.eq(index),
            write.data.eq(self.i.p.x),
            write.en.eq(self.i.valid & self.i.ready),
        ]
        m.d.sync += [size.eq(abs(self.i.p.x)), size_valid.eq(self.i.valid & self.i.ready)]
        with m.If(size_valid & (size > largest)):
            m.d.sync += largest.eq(size)

        # The word read last waits at the memory's output until the quantiser takes it.
        m.d.comb += [
            read.addr.eq(index),
            read.en.eq(~fetched | quantise.i.ready),
            quantise.i.valid.eq(fetched),
            quantise.i.p.x.eq(read.data),
            quantise.i.p.a.eq(multiplier),
            quantise.i.p.user.last.eq(fetched_last),
            self.o.valid.eq(quantise.o.valid),
            quantise.o.ready.eq(self.o.ready),
            self.o.p.value.eq(Mux(self.narrow, saturate(quantise.o.p.y, 8), quantise.o.p.y)),
            self.o.p.last.eq(quantise.o.p.user.last),
            self.o_scale.valid.eq(scale_pending),
            self.o_scale.p.eq(step),
        ]
        with m.If(read.en):
            m.d.sync += [fetched.eq(reading), fetched_last.eq(index == end)]
        with m.If(read.en & reading):
            m.d.sync += index.eq(index + 1)
            with m.If(index == end):
                m.d.sync += reading.eq(0)
        with m.If(self.o_scale.ready):
            m.d.sync += scale_pending.eq(0)

        def levels(of_8, of_16):
            return Mux(self.narrow, Value.cast(scalar_const(of_8)), Value.cast(scalar_const(of_16)))

        def drain():
            m.d.sync += [scale_pending.eq(1), reading.eq(1), index.eq(0)]
            m.next = "DRAIN"

        scalars = ScalarSteps(m, self.scalar)
        with m.FSM():
            with m.State("FILL"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += [index.eq(index + 1), end.eq(index)]
                    with m.If(self.i.p.last):
                        m.next = "SETTLE"
            with m.State("SETTLE"):
                with m.If(~size_valid):
                    m.next = "LARGEST"
            scalars.state("LARGEST", length, ScalarOp.FROM_INT, n=largest, then="MULTIPLIER")
            scalars.state("MULTIPLIER", multiplier, ScalarOp.DIV, a=levels(127, 32767), b=length, then="PRODUCT")
            scalars.state("PRODUCT", product, ScalarOp.MUL, a=length, b=self.scale, then="STEP")
            scalars.state("STEP", step, ScalarOp.MUL, a=product, b=levels(Fraction(1, 127), Fraction(1, 32767)),
                          then=drain)
            with m.State("DRAIN"):
                drained = Signal()
                with m.If(self.o.valid & self.o.ready & self.o.p.last):
                    m.d.sync += drained.eq(1)
                with m.If(drained & ~scale_pending):
                    m.d.sync += [drained.eq(0), index.eq(0), largest.eq(0)]
                    m.next = "FILL"
        return m
