"""The operations of the scalar unit: the registers, the first step and the states of each.

An operation has what it needs ready a cycle after the operands came, says in `start` what its registers begin with,
and adds its states to the FSM that is open around `states`, the first one named like its `ScalarOp`; there `finish`
ends it with a mantissa and an exponent, signed(12).
"""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data

from hw.arith.multiply_add import registered_product
from hw.arith.scalar import SCALAR, less
from hw.boards.technology import Technology
from models.machine.scalar_format import EXPONENT_MAX, MANTISSA_BITS

__all__ = ["EXPONENT_SHAPE", "Addition", "Division", "FromInteger", "Multiplication", "SquareRoot"]

EXPONENT_SHAPE = signed(12)
_SLICE_BITS = 17  # unsigned digits of a DSP's 18-bit port

Finish = Callable[[Value, Value], None]


def _carried(total: Value, base: Value) -> tuple[Value, Value]:
    """Mantissa and exponent of a 25-bit total: one place down where its top bit is set."""
    carry = total[MANTISSA_BITS]
    return Mux(carry, total[1:], total), base + carry


class Multiplication:
    """a * b: the product of the mantissas is there two cycles after the operands."""

    def __init__(self, m: Module, technology: Technology | None, a: data.View, b: data.View) -> None:
        self._product = Signal(2 * MANTISSA_BITS, reset_less=True)
        self._exponent = Signal(EXPONENT_SHAPE, reset_less=True)
        low, high = (registered_product(m, technology, a.m, part) for part in (b.m[:_SLICE_BITS], b.m[_SLICE_BITS:]))
        m.d.sync += [self._product.eq(low + (high << _SLICE_BITS)), self._exponent.eq(a.e + b.e)]

    def start(self) -> list:
        return []

    def states(self, m: Module, finish: Finish) -> None:
        with m.State("MUL"):
            m.next = "PRODUCT"
        with m.State("PRODUCT"):
            finish(*_carried(self._product[MANTISSA_BITS - 1:], self._exponent))


class Addition:
    """a + b: the smaller is shifted down to the larger's exponent."""

    def __init__(self, m: Module, a: data.View, b: data.View) -> None:
        self._a, self._b = a, b
        # a's exponent less b's, and the reverse
        self._above, self._below = (Signal(EXPONENT_SHAPE, reset_less=True, name=name) for name in ("above", "below"))
        self._swap = Signal(reset_less=True)
        m.d.sync += [self._above.eq(a.e - b.e), self._below.eq(b.e - a.e), self._swap.eq(less(a, b))]

    def start(self) -> list:
        return []

    def states(self, m: Module, finish: Finish) -> None:
        a, b, swap = self._a, self._b, self._swap
        large, small = Signal(SCALAR, reset_less=True), Signal(MANTISSA_BITS, reset_less=True)
        distance = Signal(5, reset_less=True)
        with m.State("ADD"):
            apart = Mux(swap, self._below, self._above)
            m.d.sync += [
                large.eq(Mux(swap, b, a)),
                small.eq(Mux(swap, a.m, b.m)),
                distance.eq(Mux(apart < 0, 0, Mux(apart > MANTISSA_BITS, MANTISSA_BITS, apart))),
            ]
            m.next = "ALIGN"
        with m.State("ALIGN"):
            m.d.sync += small.eq(small >> distance)
            m.next = "TOTAL"
        with m.State("TOTAL"):
            finish(*_carried(large.m + small, large.e))


class Division:
    """a / b: restoring division of a.m << 24 by b.m, its first digit at the start, then two bits a cycle.

    a.m < 2 * b.m, so the rest stays below twice b.m.
    """

    def __init__(self, m: Module, a: data.View, b: data.View, count: Signal) -> None:
        self._m, self._a, self._b, self._count = m, a, b, count
        self._rest = Signal(MANTISSA_BITS + 1, reset_less=True)
        self._quotient = Signal(MANTISSA_BITS + 1, reset_less=True)
        self._triple = Signal(MANTISSA_BITS + 2, reset_less=True)  # 3 b.m
        self._exponent = Signal(EXPONENT_SHAPE, reset_less=True)
        self._by_zero = Signal(reset_less=True)
        m.d.sync += [self._exponent.eq(a.e - b.e - 1), self._by_zero.eq(b.m == 0)]

    def _digit(self, value: Value, multiples: list[Value]) -> tuple[Value, Value]:
        """One step: what is left of the value, moved up a place, and how many of the ascending multiples it holds.

        All are subtracted at once.
        """
        left, digit = value, Const(0, 2)
        for number, multiple in enumerate(multiples, 1):
            difference = Signal(signed(MANTISSA_BITS + 3), name=f"less_{number}")
            self._m.d.comb += difference.eq(value - multiple)
            left, digit = Mux(difference < 0, left, difference), Mux(difference < 0, digit, number)
        return (left[:MANTISSA_BITS] << 1)[:MANTISSA_BITS + 1], digit

    def start(self) -> list:
        b = self._b
        rest, digit = self._digit(self._a.m, [b.m])
        return [self._triple.eq(b.m + (b.m << 1)), self._rest.eq(rest), self._quotient.eq(digit), self._count.eq(0)]

    def states(self, m: Module, finish: Finish) -> None:
        b, quotient, count = self._b, self._quotient, self._count
        with m.State("DIV"):
            rest, digits = self._digit(self._rest << 1, [b.m, b.m << 1, self._triple])
            m.d.sync += [self._rest.eq(rest), quotient.eq(Cat(digits[:2], quotient)), count.eq(count + 2)]
            with m.If(count == MANTISSA_BITS - 2):
                m.next = "QUOTIENT"
        with m.State("QUOTIENT"):
            mantissa, exponent = _carried(quotient, self._exponent)
            finish(Mux(self._by_zero, (1 << MANTISSA_BITS) - 1, mantissa),
                   Mux(self._by_zero, EXPONENT_MAX, exponent))


class SquareRoot:
    """sqrt(a), digit by digit: two bits of the radicand each, the remainder at most twice the root."""

    def __init__(self, a: data.View, count: Signal) -> None:
        self._a, self._count = a, count
        self._radicand = Signal(2 * MANTISSA_BITS, reset_less=True)
        self._root = Signal(MANTISSA_BITS, reset_less=True)
        self._remainder = Signal(MANTISSA_BITS + 2, reset_less=True)

    def start(self) -> list:
        a = self._a
        return [self._root.eq(0), self._remainder.eq(0), self._count.eq(0),
                self._radicand.eq(Mux(a.e[0], a.m << MANTISSA_BITS, a.m << (MANTISSA_BITS - 1)))]

    def states(self, m: Module, finish: Finish) -> None:
        root, remainder, count = self._root, self._remainder, self._count
        with m.State("SQRT"):
            trial = Cat(self._radicand[-2:], remainder)
            difference = Signal(signed(MANTISSA_BITS + 5))
            m.d.comb += difference.eq(trial - Cat(Const(1, 2), root))
            m.d.sync += [
                remainder.eq(Mux(difference < 0, trial, difference)),
                root.eq(Cat(difference >= 0, root)),
                self._radicand.eq(self._radicand << 2),
                count.eq(count + 1),
            ]
            with m.If(count == MANTISSA_BITS - 1):
                m.next = "ROOT"
        with m.State("ROOT"):
            finish(root, self._a.e >> 1)


class FromInteger:
    """The integer n, of 64 bits: leading zeros are shifted out, up to 48, 12 and 3 at a time."""

    def __init__(self, m: Module, n: Value) -> None:
        self._n = n
        self._integer = Signal(64, reset_less=True)
        self._sixteens = Signal(3, reset_less=True)  # which of the upper sixteens of bits of n are not 0
        m.d.sync += self._sixteens.eq(Cat(n[64 - 16 * (k + 1):64 - 16 * k].any() for k in range(3)))

    def start(self) -> list:
        return [self._integer.eq(self._n)]

    def states(self, m: Module, finish: Finish) -> None:
        integer, leading = self._integer, Signal(6, reset_less=True)
        for name, step, following in (("FROM_INT", 16, "FOURS"), ("FOURS", 4, "ONES"), ("ONES", 1, "COUNTED")):
            place = step.bit_length() - 1
            with m.State(name):
                parts = self._sixteens if step == 16 else [integer[64 - step * (k + 1):64 - step * k].any()
                                                           for k in range(3)]
                for k, found in enumerate([*parts, 1]):
                    with m.If(found) if k == 0 else m.Elif(found):
                        m.d.sync += [integer.eq(integer << step * k), leading[place:place + 2].eq(k)]
                m.next = following
        with m.State("COUNTED"):
            finish(integer[64 - MANTISSA_BITS:], 63 - leading)
