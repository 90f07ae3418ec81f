"""The scalar float unit: products, sums, quotients and roots of scales, one at a time."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.scalar import SCALAR, in_range, less
from models.machine.scalar_format import EXPONENT_MAX, MANTISSA_BITS

__all__ = ["OPERANDS", "ScalarOp", "ScalarPort", "ScalarUnit"]

_SLICE_BITS = 17  # unsigned digits of a DSP's 18-bit port


class ScalarOp(enum.Enum, shape=unsigned(3)):
    """Operations of the unit."""

    MUL = 0
    ADD = 1
    DIV = 2
    SQRT = 3
    FROM_INT = 4


OPERANDS = data.StructLayout({"op": ScalarOp, "a": SCALAR, "b": SCALAR, "n": unsigned(64)})


class ScalarPort(wiring.Signature):
    """A user's side of a ScalarUnit: operands go out, the result comes back; flipped, the unit's side."""

    def __init__(self) -> None:
        super().__init__(
            {"operands": Out(stream.Signature(OPERANDS)), "result": In(stream.Signature(SCALAR))}
        )


class ScalarUnit(wiring.Component):
    """One operation at a time: a * b, a + b, a / b, sqrt(a) or the integer n as a scalar.

    Contract: golden `mul`, `add`, `div`, `sqrt`, `from_int` bit for bit (docs/numerics.md §2): truncated,
    exponents above 511 give the largest scalar, below -512 zero; a / 0 is the largest scalar.
    Operands an operation does not name are ignored.

    Widths: exponents signed(12) inside (|a.e| + |b.e| + 1 <= 1025); product unsigned(48); quotient 25 bits,
    two a cycle; root 24 bits, one a cycle.
    Cycles from operands to valid result: MUL 5, ADD 6, DIV 16, SQRT 28, FROM_INT 6. The result holds until
    taken; the next operands are accepted after that.
    """

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(OPERANDS)), "o": Out(stream.Signature(SCALAR))})

    def elaborate(self, platform) -> Module:
        m = Module()
        operands = Signal(OPERANDS, reset_less=True)
        a, b = operands.a, operands.b
        mantissa = Signal(MANTISSA_BITS, reset_less=True)
        exponent = Signal(signed(12), reset_less=True)
        count = Signal(range(MANTISSA_BITS + 1), reset_less=True)
        low = Signal(MANTISSA_BITS + _SLICE_BITS, reset_less=True)
        high = Signal(2 * MANTISSA_BITS - _SLICE_BITS, reset_less=True)
        product = Signal(2 * MANTISSA_BITS, reset_less=True)
        exponent_of_product, exponent_of_quotient = Signal.like(exponent), Signal.like(exponent)
        above, below = Signal.like(exponent), Signal.like(exponent)  # a's exponent less b's, and the reverse
        by_zero = Signal(reset_less=True)
        swap = Signal(reset_less=True)
        large = Signal(SCALAR, reset_less=True)
        small = Signal(MANTISSA_BITS, reset_less=True)
        distance = Signal(5, reset_less=True)
        rest = Signal(MANTISSA_BITS + 1, reset_less=True)
        triple = Signal(MANTISSA_BITS + 2, reset_less=True)  # 3 b.m
        quotient = Signal(MANTISSA_BITS + 1, reset_less=True)
        radicand = Signal(2 * MANTISSA_BITS, reset_less=True)
        root = Signal(MANTISSA_BITS, reset_less=True)
        remainder = Signal(MANTISSA_BITS + 2, reset_less=True)
        integer = Signal(64, reset_less=True)
        leading = Signal(6, reset_less=True)
        sixteens = Signal(3, reset_less=True)  # which of the upper sixteens of bits of n are not 0

        def normalise_carry(total: Value, base: Value) -> list:
            """From a 25-bit total: one place down where its top bit is set."""
            carry = total[MANTISSA_BITS]
            return [mantissa.eq(Mux(carry, total[1:], total)), exponent.eq(base + carry)]

        def divide(value: Value, multiples: list[Value]) -> tuple[Value, Value]:
            """One step of restoring division: what is left, moved up a place, and how many of the multiples of b.m,
            which ascend, the value holds. All are subtracted at once."""
            left, digit = value, Const(0, 2)
            for number, multiple in enumerate(multiples, 1):
                difference = Signal(signed(MANTISSA_BITS + 3), name=f"less_{number}")
                m.d.comb += difference.eq(value - multiple)
                left, digit = Mux(difference < 0, left, difference), Mux(difference < 0, digit, number)
            return (left[:MANTISSA_BITS] << 1)[:MANTISSA_BITS + 1], digit

        m.d.sync += [
            low.eq(a.m * b.m[:_SLICE_BITS]), high.eq(a.m * b.m[_SLICE_BITS:]), product.eq(low + (high << _SLICE_BITS)),
            exponent_of_product.eq(a.e + b.e), exponent_of_quotient.eq(a.e - b.e - 1),
            above.eq(a.e - b.e), below.eq(b.e - a.e),
            swap.eq(less(a, b)), by_zero.eq(b.m == 0),
            sixteens.eq(Cat(operands.n[64 - 16 * (n + 1):64 - 16 * n].any() for n in range(3))),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += operands.eq(self.i.p)
                with m.If(self.i.valid):
                    m.next = "START"

            with m.State("START"):
                first_rest, first_digit = divide(a.m, [b.m])
                m.d.sync += [
                    count.eq(0),
                    triple.eq(b.m + (b.m << 1)),
                    rest.eq(first_rest),
                    quotient.eq(first_digit),
                    root.eq(0),
                    remainder.eq(0),
                    integer.eq(operands.n),
                    radicand.eq(Mux(a.e[0], a.m << MANTISSA_BITS, a.m << (MANTISSA_BITS - 1))),
                ]
                with m.Switch(operands.op):
                    for op in ScalarOp:
                        with m.Case(op):
                            m.next = op.name

            with m.State("MUL"):
                m.next = "PRODUCT"
            with m.State("PRODUCT"):
                m.d.sync += normalise_carry(product[MANTISSA_BITS - 1 :], exponent_of_product)
                m.next = "RANGE"

            with m.State("ADD"):
                apart = Mux(swap, below, above)
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
                m.d.sync += normalise_carry(large.m + small, large.e)
                m.next = "RANGE"

            # Restoring division of a.m << 24 by b.m, its first digit in START; a.m < 2 * b.m, so the rest stays below
            # twice b.m.
            with m.State("DIV"):
                next_rest, digits = divide(rest << 1, [b.m, b.m << 1, triple])
                m.d.sync += [rest.eq(next_rest), quotient.eq(Cat(digits[:2], quotient)), count.eq(count + 2)]
                with m.If(count == MANTISSA_BITS - 2):
                    m.next = "QUOTIENT"
            with m.State("QUOTIENT"):
                m.d.sync += normalise_carry(quotient, exponent_of_quotient)
                with m.If(by_zero):
                    m.d.sync += [mantissa.eq((1 << MANTISSA_BITS) - 1), exponent.eq(EXPONENT_MAX)]
                m.next = "RANGE"

            # Digit by digit: two bits of the radicand each, the remainder at most twice the root.
            with m.State("SQRT"):
                trial = Cat(radicand[-2:], remainder)
                difference = Signal(signed(MANTISSA_BITS + 5))
                m.d.comb += difference.eq(trial - Cat(Const(1, 2), root))
                m.d.sync += [
                    remainder.eq(Mux(difference < 0, trial, difference)),
                    root.eq(Cat(difference >= 0, root)),
                    radicand.eq(radicand << 2),
                    count.eq(count + 1),
                ]
                with m.If(count == MANTISSA_BITS - 1):
                    m.next = "ROOT"
            with m.State("ROOT"):
                m.d.sync += [mantissa.eq(root), exponent.eq(a.e >> 1)]
                m.next = "RANGE"

            # Leading zeros are shifted out, up to 48, 12 and 3 at a time.
            for name, step, following in (("FROM_INT", 16, "FOURS"), ("FOURS", 4, "ONES"), ("ONES", 1, "COUNTED")):
                place = step.bit_length() - 1
                with m.State(name):
                    parts = sixteens if step == 16 else [integer[64 - step * (n + 1):64 - step * n].any()
                                                         for n in range(3)]
                    for n, found in enumerate([*parts, 1]):
                        with m.If(found) if n == 0 else m.Elif(found):
                            m.d.sync += [integer.eq(integer << step * n), leading[place:place + 2].eq(n)]
                    m.next = following
            with m.State("COUNTED"):
                m.d.sync += [mantissa.eq(integer[64 - MANTISSA_BITS :]), exponent.eq(63 - leading)]
                m.next = "RANGE"

            with m.State("RANGE"):
                m.d.sync += self.o.p.eq(in_range(mantissa, exponent))
                m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "IDLE"
        return m
