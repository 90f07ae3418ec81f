"""RMSNorm, tap and quantisation of one row, in passes over a source that replays it."""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.pipeline import Pipeline
from hw.arith.round_shift import RoundShift
from hw.arith.rounding import saturate
from hw.arith.scalar import SCALAR, less, scalar_const, shift
from hw.arith.scalar_steps import ScalarSteps
from hw.arith.scalar_unit import ScalarOp, ScalarPort
from hw.arith.scale_round import ScaleRound
from hw.vector.tap import TAP, TAP_EXPONENTS, TAP_SETTINGS

__all__ = ["NORM_CHANNEL", "NORM_SETTINGS", "TAP_USER", "NormPass", "NormQuant"]

_INPUT_BITS = 24
_ABSMAX_FLOOR = Fraction(1, 100_000)

NORM_CHANNEL = data.StructLayout({"x": signed(62), "gain": signed(16), "tap": TAP, "last": 1})
"""One channel: the value and its parameters, which are ignored where the settings switch them off."""

NORM_SETTINGS = data.StructLayout({
    "gain": SCALAR,  # sqrt(dim) * 2**-gain_exponent, or 2**-gain_exponent without rms
    "eps_sum": SCALAR,  # dim * eps
    "rms": 1,
    "gained": 1,
    "levels16": 1,  # quantise to ±32767 instead of ±127
    "tapped": 1,
    "exponents": TAP_EXPONENTS,
})

TAP_USER = data.StructLayout({"last": 1})
"""What the tap carries along for this unit."""


class NormPass(enum.Enum, shape=unsigned(2)):
    """What a pass over the row finds out or does."""

    LARGEST = 0  # bits of the largest |x|
    SQUARES = 1  # sum of squares; largest |v| where no tap follows
    TAPPED = 2  # largest |v| behind the tap
    QUANTISE = 3


class NormQuant(wiring.Component):
    """Normalise, tap and quantise one row of up to 8,192 channels.

    Contract: golden `norm_quant` bit for bit (docs/numerics.md §4). A transfer on `start` begins a row. Each
    transfer on `o_pass` then asks the source for the whole row once more on `i_x`, three or four times:
    LARGEST; SQUARES (if rms or not tapped); TAPPED (if tapped); QUANTISE, whose results leave on `o_q`. When
    all of them were taken, `o_scale` offers the value of one unit of q, once; the next row starts after that.
    `scale`, the value of one unit of x, is read when the first pass is through.
    Tap and scalar unit are the user's, shared with others: elements go out on `o_tap` and come back in order on
    `i_tap`, with `tap_settings`; scalar operations go through `scalar`.

    Widths: |x| < 2**61. Shifted to |x'| <= 2**23, signed(25); v = x' * gain within 2**38; x'**2 <= 2**46,
    its sum over 8,192 channels <= 2**59. Throughput: one channel a cycle a pass; beside the passes about 190
    cycles of scalar operations and draining with rms, 100 without, and 80 more with a tap.
    """

    def __init__(self):
        tap_in = {"x": signed(40), "parameters": TAP, "user": TAP_USER}
        tap_out = {"y": signed(40), "user": TAP_USER}
        super().__init__({
            "start": In(stream.Signature(NORM_SETTINGS)),
            "scale": In(SCALAR),
            "o_pass": Out(stream.Signature(NormPass)),
            "i_x": In(stream.Signature(NORM_CHANNEL)),
            "o_tap": Out(stream.Signature(data.StructLayout(tap_in))),
            "i_tap": In(stream.Signature(data.StructLayout(tap_out))),
            "tap_settings": Out(TAP_SETTINGS),
            "scalar": Out(ScalarPort()),
            "o_q": Out(stream.Signature(data.StructLayout({"value": signed(16), "last": 1}))),
            "o_scale": Out(stream.Signature(SCALAR)),
        })

    def elaborate(self, platform):
        m = Module()
        self._settings = Signal(NORM_SETTINGS, reset_less=True)
        self._pass = Signal(NormPass, reset_less=True)
        self._running = Signal()  # a pass was asked for and its last channel not yet absorbed
        self._absorbed = Signal()  # that channel is in the statistics, or has left as a result
        self._seen = Signal(61, reset_less=True)  # all |x| ored: as many bits as the largest
        self._squares = Signal(60, reset_less=True)
        self._largest = Signal(39, reset_less=True)
        self._down = Signal(6, reset_less=True)
        self._multiplier = Signal(SCALAR, reset_less=True)
        m.d.sync += self._absorbed.eq(0)
        self._datapath(m)
        self._control(m)
        return m

    def _datapath(self, m: Module) -> None:
        """Channels through shift, gain and tap into the statistics or the quantiser."""
        settings = self._settings
        carried = data.StructLayout({"gain": signed(16), "tap": TAP, "last": 1})
        m.submodules.narrow = narrow = RoundShift(62, 25, carried)
        m.submodules.quantise = quantise = ScaleRound(40, 16, TAP_USER)

        # LARGEST looks at the channels as they come; the other passes shift them first.
        x = self.i_x.p
        first = Signal()
        m.d.comb += [
            first.eq(self._pass == NormPass.LARGEST),
            narrow.i.valid.eq(self._running & ~first & self.i_x.valid),
            self.i_x.ready.eq(self._running & (first | narrow.i.ready)),
            narrow.i.p.x.eq(x.x),
            narrow.i.p.shift.eq(self._down),
            narrow.i.p.user.gain.eq(Mux(settings.gained, x.gain, 1)),
            narrow.i.p.user.tap.eq(x.tap),
            narrow.i.p.user.last.eq(x.last),
        ]
        size, size_valid, size_last = Signal(61, reset_less=True), Signal(), Signal()
        m.d.sync += [size.eq(abs(x.x)), size_valid.eq(self._running & first & self.i_x.valid), size_last.eq(x.last)]
        with m.If(size_valid):
            m.d.sync += [self._seen.eq(self._seen | size), self._absorbed.eq(size_last)]

        weighed = stream.Signature(data.StructLayout({
            "v": signed(40), "square": unsigned(47), "tap": TAP, "last": 1})).create()
        p = Pipeline(m, narrow.o, weighed)
        value, gain, tap, last = p.step(narrow.o.p.y, narrow.o.p.user.gain, narrow.o.p.user.tap, narrow.o.p.user.last)
        v, square, tap, last = p.step((value * gain)[:40].as_signed(), (value * value)[:47], tap, last)
        v, square, tap, last = p.step(v, square, tap, last)
        p.finish(v=v, square=square, tap=tap, last=last)

        squares, quantising = self._pass == NormPass.SQUARES, self._pass == NormPass.QUANTISE
        through_tap = settings.tapped & ~squares
        m.d.comb += [
            self.o_tap.valid.eq(weighed.valid & through_tap),
            self.o_tap.p.x.eq(weighed.p.v),
            self.o_tap.p.parameters.eq(weighed.p.tap),
            self.o_tap.p.user.last.eq(weighed.p.last),
        ]
        y, y_valid, y_last = Signal(signed(40)), Signal(), Signal()
        with m.If(through_tap):
            m.d.comb += [y.eq(self.i_tap.p.y), y_valid.eq(self.i_tap.valid), y_last.eq(self.i_tap.p.user.last),
                         weighed.ready.eq(self.o_tap.ready), self.i_tap.ready.eq(~quantising | quantise.i.ready)]
        with m.Else():
            m.d.comb += [y.eq(weighed.p.v), y_valid.eq(weighed.valid), y_last.eq(weighed.p.last),
                         weighed.ready.eq(~quantising | quantise.i.ready)]

        measured, measured_valid, measured_last = Signal(39, reset_less=True), Signal(), Signal()
        squared = Signal(47, reset_less=True)
        m.d.sync += [measured.eq(abs(y)), squared.eq(weighed.p.square), measured_last.eq(y_last),
                     measured_valid.eq(y_valid & ~quantising)]
        with m.If(measured_valid):
            m.d.sync += [self._squares.eq(self._squares + squared), self._absorbed.eq(measured_last)]
            with m.If(measured > self._largest):
                m.d.sync += self._largest.eq(measured)

        m.d.comb += [
            quantise.i.valid.eq(y_valid & quantising),
            quantise.i.p.x.eq(y),
            quantise.i.p.a.eq(self._multiplier),
            quantise.i.p.user.last.eq(y_last),
            self.o_q.valid.eq(quantise.o.valid),
            quantise.o.ready.eq(self.o_q.ready),
            self.o_q.p.last.eq(quantise.o.p.user.last),
            self.o_q.p.value.eq(Mux(settings.levels16, quantise.o.p.y, saturate(quantise.o.p.y, 8))),
        ]
        with m.If(self.o_q.valid & self.o_q.ready & self.o_q.p.last):
            m.d.sync += self._absorbed.eq(1)
        with m.If(self.i_x.valid & self.i_x.ready & x.last):
            m.d.sync += self._running.eq(0)

    def _control(self, m: Module) -> None:
        """Passes and scalar operations, in the golden function's order."""
        settings = self._settings
        unit, y_unit, y_max, v_max, rho, t, s, step = (Signal(SCALAR, reset_less=True) for _ in range(8))
        low = Signal(reset_less=True)
        scalars = ScalarSteps(m, self.scalar)
        asked = Signal()
        m.d.comb += [self.tap_settings.rho.eq(rho), self.tap_settings.exponents.eq(settings.exponents)]

        def levels(of_8, of_16):
            return Mux(settings.levels16, Value.cast(scalar_const(of_16)), Value.cast(scalar_const(of_8)))

        def run_pass(name: str, kind: NormPass, clear, then) -> None:
            with m.State(name):
                m.d.comb += [self.o_pass.valid.eq(~asked), self.o_pass.p.eq(kind)]
                m.d.sync += self._pass.eq(kind)
                with m.If(self.o_pass.valid & self.o_pass.ready):
                    m.d.sync += [asked.eq(1), self._running.eq(1), *clear]
                with m.If(asked & self._absorbed):
                    m.d.sync += asked.eq(0)
                    if callable(then):
                        then()
                    else:
                        m.next = then

        def after_unit():
            with m.If(settings.tapped & ~settings.rms):
                m.next = "PLAIN"
            with m.Else():
                m.next = "SQUARES"

        def after_squares():
            with m.If(settings.rms):
                m.next = "SUM"
            with m.Else():
                m.next = "PLAIN"

        def after_y_unit():
            with m.If(settings.tapped):
                m.next = "RHO"
            with m.Else():
                m.next = "LARGEST_V"

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.start.ready.eq(1)
                m.d.sync += settings.eq(self.start.p)
                with m.If(self.start.valid):
                    m.next = "LARGEST"
            run_pass("LARGEST", NormPass.LARGEST, [self._seen.eq(0)], "LENGTH")
            scalars.state("LENGTH", t, ScalarOp.FROM_INT, n=self._seen, then="UNIT")
            with m.State("UNIT"):  # t.e is the bit length less one, 0 for zeros
                down = Mux(t.e > _INPUT_BITS - 2, t.e - (_INPUT_BITS - 2), 0)[:6]
                m.d.sync += [self._down.eq(down), Value.cast(unit).eq(shift(self.scale, down))]
                after_unit()
            run_pass("SQUARES", NormPass.SQUARES, [self._squares.eq(0), self._largest.eq(0)], after_squares)

            scalars.state("SUM", t, ScalarOp.FROM_INT, n=self._squares, then="UNIT_SQUARE")
            scalars.state("UNIT_SQUARE", s, ScalarOp.MUL, a=unit, b=unit, then="MEAN")
            scalars.state("MEAN", t, ScalarOp.MUL, a=t, b=s, then="EPS")
            scalars.state("EPS", t, ScalarOp.ADD, a=t, b=settings.eps_sum, then="ROOT")
            scalars.state("ROOT", t, ScalarOp.SQRT, a=t, then="GAIN")
            scalars.state("GAIN", s, ScalarOp.MUL, a=unit, b=settings.gain, then="Y_UNIT")
            scalars.state("Y_UNIT", y_unit, ScalarOp.DIV, a=s, b=t, then=after_y_unit)
            scalars.state("PLAIN", y_unit, ScalarOp.MUL, a=unit, b=settings.gain, then=after_y_unit)
            scalars.state("RHO", rho, ScalarOp.DIV, a=scalar_const(1), b=y_unit, then="TAPPED")
            run_pass("TAPPED", NormPass.TAPPED, [self._largest.eq(0)], "LARGEST_V")

            scalars.state("LARGEST_V", v_max, ScalarOp.FROM_INT, n=self._largest, then="Y_MAX")
            scalars.state("Y_MAX", y_max, ScalarOp.MUL, a=v_max, b=y_unit, then="FLOOR")
            with m.State("FLOOR"):
                below = less(y_max, data.View(SCALAR, Value.cast(scalar_const(_ABSMAX_FLOOR))))
                m.d.sync += low.eq(below)
                with m.If(below):
                    m.next = "CLAMPED"
                with m.Else():
                    m.next = "NORMAL"
            scalars.state("NORMAL", self._multiplier, ScalarOp.DIV, a=levels(127, 32767), b=v_max, then="STEP")
            scalars.state("CLAMPED", self._multiplier, ScalarOp.MUL, a=y_unit,
                          b=levels(127 / _ABSMAX_FLOOR, 32767 / _ABSMAX_FLOOR), then="STEP")
            scalars.state("STEP", step, ScalarOp.MUL, a=y_max,
                          b=levels(Fraction(1, 127), Fraction(1, 32767)), then="QUANTISE")
            run_pass("QUANTISE", NormPass.QUANTISE, [], "SCALE")
            with m.State("SCALE"):
                floor = levels(_ABSMAX_FLOOR / 127, _ABSMAX_FLOOR / 32767)
                m.d.comb += [self.o_scale.valid.eq(1), Value.cast(self.o_scale.p).eq(Mux(low, floor, Value.cast(step)))]
                with m.If(self.o_scale.ready):
                    m.next = "IDLE"
