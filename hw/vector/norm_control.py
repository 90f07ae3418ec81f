"""The order of NORM: passes over a row and scalar operations between them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, enum, wiring

from hw.arith.scalar import SCALAR, less, scalar_const, shift
from hw.arith.scalar_steps import ScalarSteps
from hw.arith.scalar_unit import ScalarOp
from hw.vector.norm_gain import PRODUCT_BITS, SIZE_BITS, UP_MAX
from hw.vector.tap import TAP_EXPONENTS

__all__ = ["NORM_SETTINGS", "V_BITS", "NormControl", "NormPass", "NormRow"]

V_BITS = 40
_INPUT_BITS = 24
_ABSMAX_FLOOR = Fraction(1, 100_000)

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


class NormRow:
    """Registers of the row at work: what control tells the passes, and what these find out for it."""

    def __init__(self) -> None:
        self.settings = Signal(NORM_SETTINGS, reset_less=True)
        # which pass it is, as far as it matters
        self.largest_pass, self.quantise_pass, self.through_tap = Signal(), Signal(), Signal()
        self.up = Signal(range(UP_MAX + 1))  # places that products go up by
        self.multiplier = Signal(SCALAR, reset_less=True)  # from v to levels
        self.rho = Signal(SCALAR, reset_less=True)  # one over y's unit, for the tap
        # the pass's last word is in the largest, in the squares, has left as a result
        self.measured, self.squared, self.left = Signal(), Signal(), Signal()
        self.seen = Signal(SIZE_BITS, reset_less=True)  # all |x| ored: as many bits as the largest
        self.squares = Signal(60, reset_less=True)
        self.largest = Signal(PRODUCT_BITS, reset_less=True)
        self.guard, self.sticky = Signal(reset_less=True), Signal(reset_less=True)  # behind the largest's unit


Then = str | Callable[[], None]
"""The next state, or what sets it."""


class NormControl:
    """Adds the FSM of a row to the `elaborate` that calls `states`.

    The golden function's order; what a pass does not decide is worked out beside it. `start`, `o_pass`, `o_scale` and
    `scalar` are the ports of `hw.vector.norm_quant`, `scale` the value of one unit of x.
    """

    def __init__(self, m: Module, row: NormRow, *, scalar: wiring.PureInterface, o_pass: wiring.PureInterface) -> None:
        self._m, self._row, self._scalar, self._o_pass = m, row, scalar, o_pass
        self._down = Signal(range(UP_MAX + 1), reset_less=True)  # places that x goes down by

    def _go(self, then: Then) -> None:
        if callable(then):
            then()
        else:
            self._m.next = then

    def _choose(self, condition: Value, yes: Then, no: Then) -> Callable[[], None]:
        def then() -> None:
            with self._m.If(condition):
                self._go(yes)
            with self._m.Else():
                self._go(no)
        return then

    def _wait(self, name: str, through: Signal, then: Then) -> None:
        """State `name`: until the pass is through."""
        with self._m.State(name), self._m.If(through):
            self._go(then)

    def _ask(self, kind: NormPass, then: Then) -> None:
        """State `kind`: the pass begins, and the FSM goes on."""
        m, row = self._m, self._row
        with m.State(kind.name):
            m.d.comb += [self._o_pass.valid.eq(1), self._o_pass.p.eq(kind)]
            m.d.sync += [
                row.measured.eq(0), row.squared.eq(0), row.left.eq(0), row.squares.eq(0),
                row.largest_pass.eq(kind == NormPass.LARGEST),
                row.quantise_pass.eq(kind == NormPass.QUANTISE),
                row.through_tap.eq(row.settings.tapped & int(kind in (NormPass.TAPPED, NormPass.QUANTISE))),
                # The first pass finds what the product is before its shift.
                row.up.eq(0 if kind == NormPass.LARGEST else UP_MAX - self._down),
            ]
            if kind == NormPass.LARGEST:
                m.d.sync += row.seen.eq(0)
            if kind in (NormPass.LARGEST, NormPass.TAPPED):
                m.d.sync += row.largest.eq(0)
            with m.If(self._o_pass.ready):
                self._go(then)

    def _levels(self, of_8: Fraction | int, of_16: Fraction | int) -> Value:
        return Mux(self._row.settings.levels16, Value.cast(scalar_const(of_16)), Value.cast(scalar_const(of_8)))

    def states(self, start: wiring.PureInterface, scale: data.View, o_scale: wiring.PureInterface) -> None:
        """All states."""
        m, row = self._m, self._row
        settings, scalars = row.settings, ScalarSteps(m, self._scalar)
        unit, y_unit, y_max, v_max, s, gained, step = (Signal(SCALAR, reset_less=True) for _ in range(7))
        t = Signal(SCALAR, reset_less=True)
        low = Signal(reset_less=True)
        tapped, choose = settings.tapped, self._choose
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += start.ready.eq(1)
                m.d.sync += [settings.eq(start.p), low.eq(0)]
                with m.If(start.valid):
                    m.next = "LARGEST"
            self._ask(NormPass.LARGEST, "SEEN")
            self._wait("SEEN", row.measured, "LENGTH")
            self._narrow(scalars, t, unit, scale)
            scalars.state("LARGEST_V", v_max, ScalarOp.FROM_INT, n=row.largest[:V_BITS],
                          then=choose(tapped, "Y_MAX", "NORMAL"))
            self._unit_of_y(scalars, t, s, unit, gained, y_unit)

            scalars.state("Y_MAX", y_max, ScalarOp.MUL, a=v_max, b=y_unit, then="FLOOR")
            with m.State("FLOOR"):
                m.d.sync += low.eq(less(y_max, data.View(SCALAR, Value.cast(scalar_const(_ABSMAX_FLOOR)))))
                m.next = "BELOW"
            with m.State("BELOW"):
                choose(low, choose(tapped, "CLAMPED", "REPEAT"), choose(tapped, "NORMAL", "STEP"))()
            self._wait("REPEAT", row.left, "CLAMPED")
            scalars.state("NORMAL", row.multiplier, ScalarOp.DIV, a=self._levels(127, 32767), b=v_max, then="QUANTISE")
            scalars.state("CLAMPED", row.multiplier, ScalarOp.MUL, a=y_unit,
                          b=self._levels(127 / _ABSMAX_FLOOR, 32767 / _ABSMAX_FLOOR), then="QUANTISE")
            self._ask(NormPass.QUANTISE, choose(tapped | low, "STEP", "GAIN"))
            scalars.state("STEP", step, ScalarOp.MUL, a=y_max,
                          b=self._levels(Fraction(1, 127), Fraction(1, 32767)), then="QUANTISED")
            self._wait("QUANTISED", row.left, "SCALE")
            with m.State("SCALE"):
                floor = self._levels(_ABSMAX_FLOOR / 127, _ABSMAX_FLOOR / 32767)
                m.d.comb += [o_scale.valid.eq(1), Value.cast(o_scale.p).eq(Mux(low, floor, Value.cast(step)))]
                with m.If(o_scale.ready):
                    m.next = "IDLE"

    def _narrow(self, scalars: ScalarSteps, length: Signal, unit: Signal, scale: data.View) -> None:
        """States LENGTH to ROUND: how far x goes down to 24 bits; its unit then; without a tap, the largest rounded."""
        m, row, down = self._m, self._row, self._down
        # places the largest has to go down, and whether there are any
        fours, ones = Signal(4, reset_less=True), Signal(2, reset_less=True)
        some_fours, some_ones = Signal(reset_less=True), Signal(reset_less=True)
        scalars.state("LENGTH", length, ScalarOp.FROM_INT, n=row.seen, then="DOWN")
        with m.State("DOWN"):  # length.e is the bit length less one, 0 for zeros
            excess = Mux(length.e > _INPUT_BITS - 2, length.e - (_INPUT_BITS - 2), 0)
            m.d.sync += [down.eq(excess), Cat(ones, fours).eq(excess), row.guard.eq(0), row.sticky.eq(0)]
            m.next = "UNIT"
        with m.State("UNIT"):
            m.d.sync += [Value.cast(unit).eq(shift(scale, down)), some_fours.eq(fours != 0), some_ones.eq(ones != 0)]
            self._choose(row.settings.tapped, self._choose(row.settings.rms, "SQUARES", "GAIN"), "FOURS")()
        largest, guard, sticky = row.largest, row.guard, row.sticky
        for name, places, left, some, then in (("FOURS", 4, fours, some_fours, "ONES"),
                                               ("ONES", 1, ones, some_ones, "ROUND")):
            with m.State(name):
                with m.If(some):
                    m.d.sync += [left.eq(left - 1), some.eq(left != 1), largest.eq(largest >> places),
                                 guard.eq(largest[places - 1]),
                                 sticky.eq(sticky | guard | largest[:places - 1].any())]
                with m.Else():
                    m.next = then
        with m.State("ROUND"):
            m.d.sync += largest[:V_BITS].eq(largest[:V_BITS] + (guard & (sticky | largest[0])))
            m.next = "LARGEST_V"

    def _unit_of_y(self, scalars: ScalarSteps, t: Signal, s: Signal, unit: Signal, gained: Signal,
                   y_unit: Signal) -> None:
        """States SQUARES to TAPPED_THROUGH: y's unit; without a tap in the time of the pass that quantises."""
        m, row, choose = self._m, self._row, self._choose
        settings = row.settings
        known = choose(settings.tapped, "RHO", "Y_MAX")

        def plain() -> None:
            m.d.sync += y_unit.eq(self._scalar.result.p)
            known()

        self._ask(NormPass.SQUARES, "GAIN")
        scalars.state("GAIN", gained, ScalarOp.MUL, a=unit, b=settings.gain,
                      then=choose(settings.rms, "UNIT_SQUARE", plain))
        scalars.state("UNIT_SQUARE", s, ScalarOp.MUL, a=unit, b=unit, then="SQUARED")
        self._wait("SQUARED", row.squared, "SUM")
        scalars.state("SUM", t, ScalarOp.FROM_INT, n=row.squares, then="MEAN")
        scalars.state("MEAN", t, ScalarOp.MUL, a=t, b=s, then="EPS")
        scalars.state("EPS", t, ScalarOp.ADD, a=t, b=settings.eps_sum, then="ROOT")
        scalars.state("ROOT", t, ScalarOp.SQRT, a=t, then="Y_UNIT")
        scalars.state("Y_UNIT", y_unit, ScalarOp.DIV, a=gained, b=t, then=known)
        scalars.state("RHO", row.rho, ScalarOp.DIV, a=scalar_const(1), b=y_unit, then="TAPPED")
        self._ask(NormPass.TAPPED, "TAPPED_THROUGH")
        self._wait("TAPPED_THROUGH", row.measured, "LARGEST_V")
