"""The scalar float unit: products, sums, quotients and roots of scales, one at a time."""

from __future__ import annotations

from collections.abc import Collection

from amaranth.hdl import Module, Signal, Value, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith.scalar import SCALAR, in_range
from hw.arith.scalar_operations import (
    EXPONENT_SHAPE,
    Addition,
    Division,
    FromInteger,
    Multiplication,
    SquareRoot,
)
from models.machine.scalar_format import MANTISSA_BITS

__all__ = ["OPERANDS", "ScalarOp", "ScalarPort", "ScalarUnit"]


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

    only: operations that are ever asked for; the others are left out, and asking for one is undefined.
    """

    def __init__(self, only: Collection[ScalarOp] = tuple(ScalarOp)) -> None:
        self._only = tuple(op for op in ScalarOp if op in only)
        super().__init__({"i": In(stream.Signature(OPERANDS)), "o": Out(stream.Signature(SCALAR))})

    def elaborate(self, platform) -> Module:
        m = Module()
        operands = Signal(OPERANDS, reset_less=True)
        mantissa = Signal(MANTISSA_BITS, reset_less=True)
        exponent = Signal(EXPONENT_SHAPE, reset_less=True)
        a, b = operands.a, operands.b
        count = Signal(range(MANTISSA_BITS + 1), reset_less=True)  # of digits
        made = {ScalarOp.MUL: lambda: Multiplication(m, platform, a, b), ScalarOp.ADD: lambda: Addition(m, a, b),
                ScalarOp.DIV: lambda: Division(m, a, b, count), ScalarOp.SQRT: lambda: SquareRoot(a, count),
                ScalarOp.FROM_INT: lambda: FromInteger(m, operands.n)}
        operations = [made[op]() for op in self._only]

        def finish(final_mantissa: Value, final_exponent: Value) -> None:
            m.d.sync += [mantissa.eq(final_mantissa), exponent.eq(final_exponent)]
            m.next = "RANGE"

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += operands.eq(self.i.p)
                with m.If(self.i.valid):
                    m.next = "START"
            with m.State("START"):
                for operation in operations:
                    m.d.sync += operation.start()
                with m.Switch(operands.op):
                    for op in self._only:
                        with m.Case(op):
                            m.next = op.name
            for operation in operations:
                operation.states(m, finish)
            with m.State("RANGE"):
                m.d.sync += self.o.p.eq(in_range(mantissa, exponent))
                m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "IDLE"
        return m
