"""RMSNorm, tap and quantisation of one row, in passes over a source that replays it."""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.round_shift import RoundShift
from hw.arith.rounding import saturate
from hw.arith.scalar import SCALAR, less, scalar_const, shift
from hw.arith.scalar_steps import ScalarSteps
from hw.arith.scalar_unit import ScalarOp, ScalarPort
from hw.vector.channel_memories import GAIN_WORD, READ_LATENCY, channel_read
from hw.vector.rescale import RescalePort
from hw.vector.tap import TAP_EXPONENTS
from hw.vector.word_tap import WordTapPort
from models.machine.build import LANES

__all__ = ["NORM_SETTINGS", "NORM_WORD", "QUANTISED_WORD", "NormPass", "NormQuant"]

_INPUT_BITS = 24
_ABSMAX_FLOOR = Fraction(1, 100_000)
_SLICE_BITS = 17  # unsigned digits of a DSP's 18-bit port
_WEIGH_STEPS = 3  # operands, products, their sum

NORM_WORD = data.StructLayout({
    "channels": data.ArrayLayout(data.StructLayout({"size": unsigned(61), "negative": 1}), LANES), "last": 1})
"""Channels by sign and size; a zero may have either sign."""

QUANTISED_WORD = data.StructLayout({"values": data.ArrayLayout(signed(16), LANES), "last": 1})

NORM_SETTINGS = data.StructLayout({
    "gain": SCALAR,  # sqrt(dim) * 2**-gain_exponent, or 2**-gain_exponent without rms
    "eps_sum": SCALAR,  # dim * eps
    "rms": 1,
    "gained": 1,
    "levels16": 1,  # quantise to ±32767 instead of ±127
    "tapped": 1,
    "exponents": TAP_EXPONENTS,
})

class NormPass(enum.Enum, shape=unsigned(2)):
    """What a pass over the row finds out or does."""

    LARGEST = 0  # bits of the largest |x|
    SQUARES = 1  # sum of squares; largest |v| where no tap follows
    TAPPED = 2  # largest |v| behind the tap
    QUANTISE = 3


class NormQuant(wiring.Component):
    """Normalise, tap and quantise one row of up to 8,192 channels, a multiple of LANES.

    Contract: golden `norm_quant` bit for bit (docs/numerics.md §4). A transfer on `start` begins a row. Each
    transfer on `o_pass` then asks the source for the whole row once more on `i_x`, three or four times:
    LARGEST; SQUARES (if rms or not tapped); TAPPED (if tapped); QUANTISE, whose results leave on `o_q`. When
    all of them have, `o_scale` offers the value of one unit of q, once; the next row starts after that.
    `scale`, the value of one unit of x, is read when the first pass is through.
    Gains come through `gain`. Rescaling, tap and scalar unit are shared with others: words go out on `rescale` and
    `tap` and come back in order, scalar operations go through `scalar`. No backpressure but for `o_scale`.

    Widths: |x| < 2**61. Shifted to |x'| <= 2**23; v = x' * gain within 2**38; x'**2 <= 2**46, its sum over 8,192
    channels <= 2**59. Throughput: one word a cycle a pass; beside the passes about 150 cycles of scalar operations
    and draining with rms, 80 without, and 70 more with a tap.
    """

    def __init__(self):
        super().__init__({
            "start": In(stream.Signature(NORM_SETTINGS)),
            "scale": In(SCALAR),
            "o_pass": Out(stream.Signature(NormPass)),
            "i_x": In(stream.Signature(NORM_WORD, always_ready=True)),
            "gain": Out(channel_read(GAIN_WORD)),
            "rescale": Out(RescalePort()),
            "tap": Out(WordTapPort()),
            "scalar": Out(ScalarPort()),
            "o_q": Out(stream.Signature(QUANTISED_WORD, always_ready=True)),
            "o_scale": Out(stream.Signature(SCALAR)),
        })

    def elaborate(self, platform):
        m = Module()
        self._settings = Signal(NORM_SETTINGS, reset_less=True)
        self._largest_pass, self._quantise_pass, self._through_tap = Signal(), Signal(), Signal()
        self._absorbed = Signal()  # the pass's last word is in the statistics, or has left as a result
        self._seen = Signal(61, reset_less=True)  # all |x| ored: as many bits as the largest
        self._squares = Signal(60, reset_less=True)
        self._largest = Signal(39, reset_less=True)
        self._down = Signal(6, reset_less=True)
        self._multiplier = Signal(SCALAR, reset_less=True)
        v, square, weighed, weighed_last = self._weigh(m)
        y, y_valid, y_last = self._tap(m, v, weighed, weighed_last)
        self._measure(m, square, weighed, y, y_valid, y_last)
        self._quantise(m, y, y_valid, y_last)
        self._control(m)
        return m

    def _weigh(self, m: Module):
        """Channels into the ored sizes, or through shift and gain: v, x'**2, their valid and last."""
        x, settings = self.i_x, self._settings
        bits, bits_valid, bits_last = Signal(61, reset_less=True), Signal(), Signal()
        m.d.sync += [
            bits.eq(_any_of([x.p.channels[n].size for n in range(LANES)])),
            bits_valid.eq(x.valid & self._largest_pass), bits_last.eq(x.p.last),
        ]
        with m.If(bits_valid):
            m.d.sync += self._seen.eq(self._seen | bits)
            with m.If(bits_last):
                m.d.sync += self._absorbed.eq(1)

        # Gains are asked for so that they are there when their channels are shifted.
        index = Signal(16)
        m.d.comb += self.gain.index.eq(index)
        with m.If(x.valid):
            m.d.sync += index.eq(Mux(x.p.last, 0, index + 1))
        gains = Signal(GAIN_WORD, reset_less=True)
        m.d.sync += [gains[n].eq(Mux(settings.gained, self.gain.word[n], 1)) for n in range(LANES)]

        signs = Signal(data.ArrayLayout(data.StructLayout({"negative": 1, "last": 1}), LANES))
        v = Signal(data.ArrayLayout(signed(40), LANES), reset_less=True)
        square = Signal(data.ArrayLayout(unsigned(47), LANES), reset_less=True)
        for n in range(LANES):
            m.submodules[f"narrow_{n}"] = narrow = RoundShift(62, _INPUT_BITS + 1, 2)
            assert narrow.LATENCY == READ_LATENCY + 1
            m.d.comb += [
                narrow.i.valid.eq(x.valid & ~self._largest_pass),
                narrow.i.p.x.eq(x.p.channels[n].size),
                narrow.i.p.shift.eq(self._down),
                narrow.i.p.user[0].eq(x.p.channels[n].negative),
                narrow.i.p.user[1].eq(x.p.last),
                narrow.o.ready.eq(1),
                Value.cast(signs[n]).eq(narrow.o.p.user),
            ]
            size = Signal(_INPUT_BITS, reset_less=True, name=f"size_{n}")
            value = Signal(signed(_INPUT_BITS + 1), reset_less=True, name=f"value_{n}")
            gain = Signal(signed(16), reset_less=True, name=f"gain_{n}")
            product = Signal(signed(40), reset_less=True, name=f"product_{n}")
            low = Signal(_INPUT_BITS + _SLICE_BITS, reset_less=True, name=f"low_{n}")
            high = Signal(2 * _INPUT_BITS - _SLICE_BITS, reset_less=True, name=f"high_{n}")
            m.d.sync += [
                size.eq(narrow.o.p.y), value.eq(Mux(signs[n].negative, -narrow.o.p.y, narrow.o.p.y)),
                gain.eq(gains[n]),
                product.eq(value * gain), low.eq(size * size[:_SLICE_BITS]), high.eq(size * size[_SLICE_BITS:]),
                v[n].eq(product), square[n].eq(low + (high << _SLICE_BITS)),
            ]
            if n == 0:
                valid, last = narrow.o.valid, signs[n].last
        for n in range(_WEIGH_STEPS):
            valid_after, last_after = Signal(name=f"weighed_{n}"), Signal(name=f"weighed_last_{n}")
            m.d.sync += [valid_after.eq(valid), last_after.eq(last)]
            valid, last = valid_after, last_after
        return v, square, valid, last

    def _tap(self, m: Module, v, weighed, weighed_last):
        """v, or what comes back from the tap: y with its valid and last."""
        words, results = self.tap.words, self.tap.results
        m.d.comb += [words.valid.eq(weighed & self._through_tap), words.p.last.eq(weighed_last),
                     Value.cast(words.p.x).eq(Value.cast(v))]
        y, y_valid, y_last = Signal(data.ArrayLayout(signed(40), LANES), reset_less=True), Signal(), Signal()
        m.d.sync += [
            Value.cast(y).eq(Mux(self._through_tap, Value.cast(results.p.x), Value.cast(v))),
            y_valid.eq(Mux(self._through_tap, results.valid, weighed)),
            y_last.eq(Mux(self._through_tap, results.p.last, weighed_last)),
        ]
        return y, y_valid, y_last

    def _measure(self, m: Module, square, weighed, y, y_valid, y_last) -> None:
        """Sum of squares and largest |y|."""
        pairs = [Signal(48, reset_less=True, name=f"pair_{n}") for n in range(LANES // 2)]
        total, squared = Signal(49, reset_less=True), Signal(2)
        m.d.sync += [
            *(pair.eq(square[2 * n] + square[2 * n + 1]) for n, pair in enumerate(pairs)),
            total.eq(sum(pairs)), squared.eq(Mux(self._quantise_pass, 0, weighed) | squared << 1),
        ]
        with m.If(squared[1]):
            m.d.sync += self._squares.eq(self._squares + total)

        level = [Signal(39, reset_less=True, name=f"size_of_y_{n}") for n in range(LANES)]
        m.d.sync += [size.eq(abs(y[n])) for n, size in enumerate(level)]
        valid, last = y_valid & ~self._quantise_pass, y_last
        while True:
            after = [Signal(name="measured"), Signal(name="measured_last")]
            m.d.sync += [after[0].eq(valid), after[1].eq(last)]
            valid, last = after
            if len(level) == 1:
                break
            larger = [Signal(39, reset_less=True, name="larger") for _ in level[::2]]
            m.d.sync += [c.eq(Mux(a > b, a, b)) for a, b, c in zip(level[::2], level[1::2], larger, strict=True)]
            level = larger
        with m.If(valid & (level[0] > self._largest)):
            m.d.sync += self._largest.eq(level[0])
        with m.If(valid & last):
            m.d.sync += self._absorbed.eq(1)

    def _quantise(self, m: Module, y, y_valid, y_last) -> None:
        words, results = self.rescale.words, self.rescale.results
        m.d.comb += [
            words.valid.eq(y_valid & self._quantise_pass),
            Value.cast(words.p.x).eq(Value.cast(y)),
            words.p.a.eq(self._multiplier),
            words.p.last.eq(y_last),
        ]
        m.d.sync += [
            self.o_q.valid.eq(results.valid & self._quantise_pass),
            self.o_q.p.last.eq(results.p.last),
            *(self.o_q.p.values[n].eq(Mux(self._settings.levels16, saturate(results.p.y[n], 16),
                                          saturate(results.p.y[n], 8))) for n in range(LANES)),
        ]
        with m.If(self.o_q.valid & self.o_q.p.last):
            m.d.sync += self._absorbed.eq(1)

    def _control(self, m: Module) -> None:
        """Passes and scalar operations, in the golden function's order; what a pass does not decide, beside it."""
        settings = self._settings
        unit, y_unit, y_max, v_max, rho, t, s, gained, step = (Signal(SCALAR, reset_less=True) for _ in range(9))
        low = Signal(reset_less=True)
        scalars = ScalarSteps(m, self.scalar)
        m.d.comb += [self.tap.settings.rho.eq(rho), self.tap.settings.exponents.eq(settings.exponents)]

        def levels(of_8, of_16):
            return Mux(settings.levels16, Value.cast(scalar_const(of_16)), Value.cast(scalar_const(of_8)))

        def ask(kind: NormPass, then: str) -> None:
            """State `kind`: the pass begins, and the FSM goes on."""
            with m.State(kind.name):
                m.d.comb += [self.o_pass.valid.eq(1), self.o_pass.p.eq(kind)]
                m.d.sync += [
                    self._absorbed.eq(0), self._largest_pass.eq(kind == NormPass.LARGEST),
                    self._quantise_pass.eq(kind == NormPass.QUANTISE),
                    self._through_tap.eq(settings.tapped & int(kind in (NormPass.TAPPED, NormPass.QUANTISE))),
                ]
                if kind == NormPass.LARGEST:
                    m.d.sync += self._seen.eq(0)
                if kind in (NormPass.SQUARES, NormPass.TAPPED):
                    m.d.sync += [self._squares.eq(0), self._largest.eq(0)]
                with m.If(self.o_pass.ready):
                    m.next = then

        def wait(name: str, then) -> None:
            """State `name`: until the pass is through."""
            with m.State(name), m.If(self._absorbed):
                then() if callable(then) else _goto(m, then)

        def choose(condition, yes: str, no: str):
            def then():
                with m.If(condition):
                    m.next = yes
                with m.Else():
                    m.next = no
            return then

        rms, tapped = settings.rms, settings.tapped
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.start.ready.eq(1)
                m.d.sync += settings.eq(self.start.p)
                with m.If(self.start.valid):
                    m.next = "LARGEST"
            ask(NormPass.LARGEST, "SEEN")
            wait("SEEN", "LENGTH")
            scalars.state("LENGTH", t, ScalarOp.FROM_INT, n=self._seen, then="DOWN")
            with m.State("DOWN"):  # t.e is the bit length less one, 0 for zeros
                m.d.sync += self._down.eq(Mux(t.e > _INPUT_BITS - 2, t.e - (_INPUT_BITS - 2), 0))
                m.next = "UNIT"
            with m.State("UNIT"):
                m.d.sync += Value.cast(unit).eq(shift(self.scale, self._down))
                choose(tapped & ~rms, "GAIN", "SQUARES")()
            ask(NormPass.SQUARES, "GAIN")
            scalars.state("GAIN", gained, ScalarOp.MUL, a=unit, b=settings.gain,
                          then=choose(rms, "UNIT_SQUARE", "PLAIN"))
            with m.State("PLAIN"):
                m.d.sync += y_unit.eq(gained)
                choose(tapped, "RHO", "SQUARED")()
            scalars.state("UNIT_SQUARE", s, ScalarOp.MUL, a=unit, b=unit, then="SQUARED")
            wait("SQUARED", choose(rms, "SUM", "LARGEST_V"))

            scalars.state("SUM", t, ScalarOp.FROM_INT, n=self._squares, then="MEAN")
            scalars.state("MEAN", t, ScalarOp.MUL, a=t, b=s, then="EPS")
            scalars.state("EPS", t, ScalarOp.ADD, a=t, b=settings.eps_sum, then="ROOT")
            scalars.state("ROOT", t, ScalarOp.SQRT, a=t, then="Y_UNIT")
            scalars.state("Y_UNIT", y_unit, ScalarOp.DIV, a=gained, b=t, then=choose(tapped, "RHO", "LARGEST_V"))
            scalars.state("RHO", rho, ScalarOp.DIV, a=scalar_const(1), b=y_unit, then="TAPPED")
            ask(NormPass.TAPPED, "TAPPED_THROUGH")
            wait("TAPPED_THROUGH", "LARGEST_V")

            scalars.state("LARGEST_V", v_max, ScalarOp.FROM_INT, n=self._largest, then="Y_MAX")
            scalars.state("Y_MAX", y_max, ScalarOp.MUL, a=v_max, b=y_unit, then="FLOOR")
            with m.State("FLOOR"):
                m.d.sync += low.eq(less(y_max, data.View(SCALAR, Value.cast(scalar_const(_ABSMAX_FLOOR)))))
                m.next = "BELOW"
            with m.State("BELOW"):
                choose(low, "CLAMPED", "NORMAL")()
            scalars.state("NORMAL", self._multiplier, ScalarOp.DIV, a=levels(127, 32767), b=v_max, then="QUANTISE")
            scalars.state("CLAMPED", self._multiplier, ScalarOp.MUL, a=y_unit,
                          b=levels(127 / _ABSMAX_FLOOR, 32767 / _ABSMAX_FLOOR), then="QUANTISE")
            ask(NormPass.QUANTISE, "STEP")
            scalars.state("STEP", step, ScalarOp.MUL, a=y_max,
                          b=levels(Fraction(1, 127), Fraction(1, 32767)), then="QUANTISED")
            wait("QUANTISED", "SCALE")
            with m.State("SCALE"):
                floor = levels(_ABSMAX_FLOOR / 127, _ABSMAX_FLOOR / 32767)
                m.d.comb += [self.o_scale.valid.eq(1), Value.cast(self.o_scale.p).eq(Mux(low, floor, Value.cast(step)))]
                with m.If(self.o_scale.ready):
                    m.next = "IDLE"


def _any_of(values: list[Value]) -> Value:
    """The bitwise or."""
    total = values[0]
    for value in values[1:]:
        total = total | value
    return total


def _goto(m: Module, state: str) -> None:
    m.next = state
