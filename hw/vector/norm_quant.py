"""RMSNorm, tap and quantisation of one row, in passes over a source that replays it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.rounding import saturate
from hw.arith.scalar import SCALAR, less, scalar_const, shift
from hw.arith.scalar_steps import ScalarSteps
from hw.arith.scalar_unit import ScalarOp, ScalarPort
from hw.vector.channel_memories import GAIN_WORD, channel_read
from hw.vector.norm_gain import NORM_WORD, PRODUCT_BITS, SIZE_BITS, UP_MAX, NormGain
from hw.vector.rescale import RescalePort
from hw.vector.tap import TAP_EXPONENTS
from hw.vector.word_tap import WordTapPort
from models.machine.build import LANES

__all__ = ["NORM_SETTINGS", "QUANTISED_WORD", "NormPass", "NormQuant"]

_INPUT_BITS = 24
_V_BITS = 40
_ABSMAX_FLOOR = Fraction(1, 100_000)

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

    LARGEST = 0  # bits of the largest |x|, largest |x * gain|
    SQUARES = 1  # sum of squares, where a tap needs it before it quantises
    TAPPED = 2  # largest |v| behind the tap
    QUANTISE = 3  # results; without a tap the sum of squares


class NormQuant(wiring.Component):
    """Normalise, tap and quantise one row of up to 8,192 channels, a multiple of LANES.

    Contract: golden `norm_quant` bit for bit (docs/numerics.md §4). A transfer on `start` begins a row. Each
    transfer on `o_pass` then asks the source for the whole row once more on `i_x`. Without a tap: LARGEST and
    QUANTISE, whose results leave on `o_q`; where the clamp proves to act, QUANTISE a second time, whose results stand.
    With a tap: LARGEST; SQUARES (if rms); TAPPED; QUANTISE. When all of them have left, `o_scale` offers the value
    of one unit of q, once; the next row starts after that.
    `scale`, the value of one unit of x, is read when the first pass is through. `coming` is high in the cycle before
    each transfer on `o_q`.
    Gains come through `gain`. Rescaling, tap and scalar unit are shared with others: words go out on `rescale` and
    `tap` and come back in order, scalar operations go through `scalar`. No backpressure but for `o_scale`.

    Widths: those of `NormGain`; the sum of squares over 8,192 channels <= 2**59. Throughput: one word a cycle a pass;
    beside the passes about 160 cycles of scalar operations and draining with rms, 90 without, and 100 more with a tap.
    """

    def __init__(self) -> None:
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
            "coming": Out(1),
            "o_scale": Out(stream.Signature(SCALAR)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        self._settings = Signal(NORM_SETTINGS, reset_less=True)
        self._largest_pass, self._quantise_pass, self._through_tap = Signal(), Signal(), Signal()
        # The pass's last word is in the largest, in the squares, has left as a result.
        self._measured, self._squared, self._left = Signal(), Signal(), Signal()
        self._seen = Signal(SIZE_BITS, reset_less=True)  # all |x| ored: as many bits as the largest
        self._squares = Signal(60, reset_less=True)
        self._largest = Signal(PRODUCT_BITS, reset_less=True)
        self._guard, self._sticky = Signal(reset_less=True), Signal(reset_less=True)  # behind the largest's unit
        self._multiplier = Signal(SCALAR, reset_less=True)
        m.submodules.gained = self._gained = NormGain()
        m.d.comb += [
            self._gained.i.valid.eq(self.i_x.valid), self._gained.i.p.eq(self.i_x.p),
            self._gained.gained.eq(self._settings.gained),
            self.gain.index.eq(self._gained.gain.index), self._gained.gain.word.eq(self.gain.word),
        ]
        self._see(m)
        y, y_valid, y_last = self._tap(m)
        self._measure(m, y, y_valid, y_last)
        self._quantise(m, y, y_valid, y_last)
        self._control(m)
        return m

    def _see(self, m: Module) -> None:
        """Sizes ored, squares added up."""
        x, squares = self.i_x, self._gained.o_squares
        bits, valid = Signal(SIZE_BITS, reset_less=True), Signal()
        m.d.sync += [bits.eq(_any_of([x.p.channels[n].size for n in range(LANES)])),
                     valid.eq(x.valid & self._largest_pass)]
        with m.If(valid):
            m.d.sync += self._seen.eq(self._seen | bits)
        with m.If(squares.valid):
            m.d.sync += self._squares.eq(self._squares + squares.p.sum)
            with m.If(squares.p.last):
                m.d.sync += self._squared.eq(1)

    def _tap(self, m: Module) -> tuple[Signal, Signal, Signal]:
        """v, or what comes back from the tap: y with its valid and last."""
        words, results, v = self.tap.words, self.tap.results, self._gained.o_v
        m.d.comb += [words.valid.eq(v.valid & self._through_tap), words.p.eq(v.p)]
        y, y_valid, y_last = Signal(data.ArrayLayout(signed(_V_BITS), LANES), reset_less=True), Signal(), Signal()
        m.d.sync += [
            Value.cast(y).eq(Mux(self._through_tap, Value.cast(results.p.x), Value.cast(v.p.x))),
            y_valid.eq(Mux(self._through_tap, results.valid, v.valid)),
            y_last.eq(Mux(self._through_tap, results.p.last, v.p.last)),
        ]
        return y, y_valid, y_last

    def _measure(self, m: Module, y, y_valid, y_last) -> None:
        """Largest |x * gain|, exact, or behind the tap largest |y|."""
        products, tapping = self._gained.o_products, self._through_tap
        level = [Signal(PRODUCT_BITS, reset_less=True, name=f"size_{n}") for n in range(LANES)]
        for n, size in enumerate(level):
            product, below = products.p.sizes[n], tapping & y[n][-1]
            m.d.sync += [
                size[:_V_BITS].eq(Mux(tapping, y[n] ^ below.replicate(_V_BITS), product[:_V_BITS]) + below),
                size[_V_BITS:].eq(Mux(tapping, 0, product[_V_BITS:])),
            ]
        valid = Mux(tapping, y_valid & ~self._quantise_pass, products.valid & self._largest_pass)
        last = Mux(tapping, y_last, products.p.last)
        while True:
            after = [Signal(name="measured"), Signal(name="measured_last")]
            m.d.sync += [after[0].eq(valid), after[1].eq(last)]
            valid, last = after
            if len(level) == 1:
                break
            larger = [Signal(PRODUCT_BITS, reset_less=True, name="larger") for _ in level[::2]]
            m.d.sync += [c.eq(Mux(a > b, a, b)) for a, b, c in zip(level[::2], level[1::2], larger, strict=True)]
            level = larger
        with m.If(valid & (level[0] > self._largest)):
            m.d.sync += self._largest.eq(level[0])
        with m.If(valid & last):
            m.d.sync += self._measured.eq(1)

    def _quantise(self, m: Module, y, y_valid, y_last) -> None:
        words, results = self.rescale.words, self.rescale.results
        m.d.comb += [
            self.coming.eq(results.valid & self._quantise_pass),
            words.valid.eq(y_valid & self._quantise_pass),
            Value.cast(words.p.x).eq(Value.cast(y)),
            words.p.a.eq(self._multiplier),
            words.p.last.eq(y_last),
        ]
        m.d.sync += [
            self.o_q.valid.eq(self.coming),
            self.o_q.p.last.eq(results.p.last),
            *(self.o_q.p.values[n].eq(Mux(self._settings.levels16, saturate(results.p.y[n], 16),
                                          saturate(results.p.y[n], 8))) for n in range(LANES)),
        ]
        with m.If(self.o_q.valid & self.o_q.p.last):
            m.d.sync += self._left.eq(1)

    def _control(self, m: Module) -> None:
        """Passes and scalar operations, in the golden function's order; what a pass does not decide, beside it."""
        settings = self._settings
        unit, y_unit, y_max, v_max, rho, t, s, gained, step = (Signal(SCALAR, reset_less=True) for _ in range(9))
        down = Signal(range(UP_MAX + 1), reset_less=True)
        # places the largest has to go down, and whether there are any
        fours, ones = Signal(4, reset_less=True), Signal(2, reset_less=True)
        some_fours, some_ones = Signal(reset_less=True), Signal(reset_less=True)
        low = Signal(reset_less=True)
        scalars = ScalarSteps(m, self.scalar)
        m.d.comb += [self.tap.settings.rho.eq(rho), self.tap.settings.exponents.eq(settings.exponents)]

        def levels(of_8, of_16) -> Value:
            return Mux(settings.levels16, Value.cast(scalar_const(of_16)), Value.cast(scalar_const(of_8)))

        def ask(kind: NormPass, then) -> None:
            """State `kind`: the pass begins, and the FSM goes on."""
            with m.State(kind.name):
                m.d.comb += [self.o_pass.valid.eq(1), self.o_pass.p.eq(kind)]
                m.d.sync += [
                    self._measured.eq(0), self._squared.eq(0), self._left.eq(0), self._squares.eq(0),
                    self._largest_pass.eq(kind == NormPass.LARGEST),
                    self._quantise_pass.eq(kind == NormPass.QUANTISE),
                    self._through_tap.eq(settings.tapped & int(kind in (NormPass.TAPPED, NormPass.QUANTISE))),
                    # The first pass finds what the product is before its shift.
                    self._gained.up.eq(0 if kind == NormPass.LARGEST else UP_MAX - down),
                ]
                if kind == NormPass.LARGEST:
                    m.d.sync += self._seen.eq(0)
                if kind in (NormPass.LARGEST, NormPass.TAPPED):
                    m.d.sync += self._largest.eq(0)
                with m.If(self.o_pass.ready):
                    then() if callable(then) else _goto(m, then)

        def wait(name: str, through: Signal, then) -> None:
            """State `name`: until the pass is through."""
            with m.State(name), m.If(through):
                then() if callable(then) else _goto(m, then)

        def choose(condition, yes, no) -> Callable[[], None]:
            def then() -> None:
                with m.If(condition):
                    yes() if callable(yes) else _goto(m, yes)
                with m.Else():
                    no() if callable(no) else _goto(m, no)
            return then

        rms, tapped = settings.rms, settings.tapped
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.start.ready.eq(1)
                m.d.sync += [settings.eq(self.start.p), low.eq(0)]
                with m.If(self.start.valid):
                    m.next = "LARGEST"
            ask(NormPass.LARGEST, "SEEN")
            wait("SEEN", self._measured, "LENGTH")
            scalars.state("LENGTH", t, ScalarOp.FROM_INT, n=self._seen, then="DOWN")
            with m.State("DOWN"):  # t.e is the bit length less one, 0 for zeros
                excess = Mux(t.e > _INPUT_BITS - 2, t.e - (_INPUT_BITS - 2), 0)
                m.d.sync += [down.eq(excess), Cat(ones, fours).eq(excess), self._guard.eq(0), self._sticky.eq(0)]
                m.next = "UNIT"
            with m.State("UNIT"):
                m.d.sync += [Value.cast(unit).eq(shift(self.scale, down)), some_fours.eq(fours != 0),
                             some_ones.eq(ones != 0)]
                choose(tapped, choose(rms, "SQUARES", "GAIN"), "FOURS")()
            self._narrow_largest(m, "FOURS", 4, fours, some_fours, then="ONES")
            self._narrow_largest(m, "ONES", 1, ones, some_ones, then="ROUND")
            with m.State("ROUND"):
                up = self._guard & (self._sticky | self._largest[0])
                m.d.sync += self._largest[:_V_BITS].eq(self._largest[:_V_BITS] + up)
                m.next = "LARGEST_V"
            scalars.state("LARGEST_V", v_max, ScalarOp.FROM_INT, n=self._largest[:_V_BITS],
                          then=choose(tapped, "Y_MAX", "NORMAL"))

            # y's unit; without a tap in the time of the pass that quantises
            ask(NormPass.SQUARES, "GAIN")
            known = choose(tapped, "RHO", "Y_MAX")

            def plain() -> None:
                m.d.sync += y_unit.eq(self.scalar.result.p)
                known()

            scalars.state("GAIN", gained, ScalarOp.MUL, a=unit, b=settings.gain,
                          then=choose(rms, "UNIT_SQUARE", plain))
            scalars.state("UNIT_SQUARE", s, ScalarOp.MUL, a=unit, b=unit, then="SQUARED")
            wait("SQUARED", self._squared, "SUM")
            scalars.state("SUM", t, ScalarOp.FROM_INT, n=self._squares, then="MEAN")
            scalars.state("MEAN", t, ScalarOp.MUL, a=t, b=s, then="EPS")
            scalars.state("EPS", t, ScalarOp.ADD, a=t, b=settings.eps_sum, then="ROOT")
            scalars.state("ROOT", t, ScalarOp.SQRT, a=t, then="Y_UNIT")
            scalars.state("Y_UNIT", y_unit, ScalarOp.DIV, a=gained, b=t, then=known)
            scalars.state("RHO", rho, ScalarOp.DIV, a=scalar_const(1), b=y_unit, then="TAPPED")
            ask(NormPass.TAPPED, "TAPPED_THROUGH")
            wait("TAPPED_THROUGH", self._measured, "LARGEST_V")

            scalars.state("Y_MAX", y_max, ScalarOp.MUL, a=v_max, b=y_unit, then="FLOOR")
            with m.State("FLOOR"):
                m.d.sync += low.eq(less(y_max, data.View(SCALAR, Value.cast(scalar_const(_ABSMAX_FLOOR)))))
                m.next = "BELOW"
            with m.State("BELOW"):
                choose(low, choose(tapped, "CLAMPED", "REPEAT"), choose(tapped, "NORMAL", "STEP"))()
            wait("REPEAT", self._left, "CLAMPED")
            scalars.state("NORMAL", self._multiplier, ScalarOp.DIV, a=levels(127, 32767), b=v_max, then="QUANTISE")
            scalars.state("CLAMPED", self._multiplier, ScalarOp.MUL, a=y_unit,
                          b=levels(127 / _ABSMAX_FLOOR, 32767 / _ABSMAX_FLOOR), then="QUANTISE")
            ask(NormPass.QUANTISE, choose(tapped | low, "STEP", "GAIN"))
            scalars.state("STEP", step, ScalarOp.MUL, a=y_max,
                          b=levels(Fraction(1, 127), Fraction(1, 32767)), then="QUANTISED")
            wait("QUANTISED", self._left, "SCALE")
            with m.State("SCALE"):
                floor = levels(_ABSMAX_FLOOR / 127, _ABSMAX_FLOOR / 32767)
                m.d.comb += [self.o_scale.valid.eq(1), Value.cast(self.o_scale.p).eq(Mux(low, floor, Value.cast(step)))]
                with m.If(self.o_scale.ready):
                    m.next = "IDLE"

    def _narrow_largest(self, m: Module, name: str, places: int, left: Signal, some: Signal, then: str) -> None:
        """State `name`: the largest product goes down by `places` a cycle, `left` times; `some` says that any are."""
        largest, guard, sticky = self._largest, self._guard, self._sticky
        with m.State(name):
            with m.If(some):
                m.d.sync += [left.eq(left - 1), some.eq(left != 1), largest.eq(largest >> places),
                             guard.eq(largest[places - 1]), sticky.eq(sticky | guard | largest[:places - 1].any())]
            with m.Else():
                m.next = then


def _any_of(values: list[Value]) -> Value:
    """The bitwise or."""
    total = values[0]
    for value in values[1:]:
        total = total | value
    return total


def _goto(m: Module, state: str) -> None:
    m.next = state
