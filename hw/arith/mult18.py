"""Multiply-adds with Lattice's multiplier MULT18X18D: operands and product in its registers, sums in the fabric."""

from __future__ import annotations

import re
from pathlib import Path

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value, signed

from hw.arith.product_sum import Sum
from hw.boards.technology import ECP5, Dsp

__all__ = ["accumulate", "mult18_models", "multiply_add", "registered_parts", "registered_product"]

_BITS = 18
_REGISTERS = ("INPUTA", "INPUTB", "OUTPUT")


def mult18_models(verilog: str) -> str:
    """Verilog of the block if a text uses it, for Verilator."""
    if not re.search(rf"^ *{ECP5.dsp.primitive} ", verilog, re.MULTILINE):
        return ""
    return Path(__file__).with_suffix(".v").read_text(encoding="utf-8")


def multiply_add(m: Module, dsp: Dsp, a: Value, b: Value, before: Sum | None) -> Sum:
    """See `hw.arith.multiply_add`. Operands wider than the block's take several."""
    product = _product(m, a, b)
    total = Signal(signed(dsp.sum_bits), name="total", reset_less=True)
    m.d.sync += total.eq(product if before is None else product + before.cascade)
    return Sum(total, total)


def accumulate(m: Module, dsp: Dsp, operands: list[tuple[Value, Value]], *, first: Value, enable: Value) -> Value:
    """See `hw.arith.multiply_add`. Operands wider than the block's take several."""
    *early, last = operands
    before = None
    for a, b in early:
        before = multiply_add(m, dsp, a, b, before)
    product, anew = _product(m, *last), Signal(name="anew", reset_less=True)
    total = Signal(signed(dsp.sum_bits), name="total", reset_less=True)
    m.d.sync += anew.eq(first)
    with m.If(enable):
        m.d.sync += total.eq(Mux(anew, 0, total) + product + (0 if before is None else before.cascade))
    return total


def registered_product(m: Module, a: Value, b: Value, enable: Value | int) -> Value:
    """See `hw.arith.multiply_add`: what several blocks hold is added up behind their registers."""
    return _product(m, a, b, _REGISTERS[-1:], enable)


def registered_parts(m: Module, a: Value, b: Value, enable: Value) -> list[tuple[int, Value]]:
    """Unsigned a * b in parts, a cycle later where `enable`: (place, product), lowest first; it is their sum."""
    a_digits, b_digits = ([(low, x[low:low + _BITS]) for low in range(0, len(x), _BITS)] for x in (a, b))
    parts = []
    for a_low, a_digit in a_digits:
        for b_low, b_digit in b_digits:
            if min(len(a_digit), len(b_digit)) == 1:  # a row of gates
                part = Signal(len(a_digit) + len(b_digit) - 1, name="row", reset_less=True)
                with m.If(enable):
                    m.d.sync += part.eq(a_digit * b_digit)
            else:
                part = _block(m, a_digit, b_digit, signs=False, registers=_REGISTERS[-1:], enable=enable)
            parts.append((a_low + b_low, part))
    return sorted(parts, key=lambda part: part[0])


def _product(m: Module, a: Value, b: Value, registers: tuple[str, ...] = _REGISTERS,
             enable: Value | int = 1) -> Value:
    """Signed a * b, behind the registers; what several blocks give is added up behind them."""
    return sum((_block(m, a_digit, b_digit, signs=True, registers=registers, enable=enable) << a_low + b_low
                for a_low, a_digit in _signed_digits(a) for b_low, b_digit in _signed_digits(b)), Const(0, signed(1)))


def _signed_digits(x: Value) -> list[tuple[int, Value]]:
    """Where each begins, and its value: signed, of at most 18 bits, those below the last with a zero on top."""
    x = Value.cast(x)
    x = x if x.shape().signed else Cat(x, Const(0, 1)).as_signed()
    starts = range(0, max(1, len(x) - 1), _BITS - 1)
    return [(low, x[low:].as_signed() if low == starts[-1] else Cat(x[low:low + _BITS - 1], Const(0, 1)).as_signed())
            for low in starts]


def _block(m: Module, a: Value, b: Value, *, signs: bool, registers: tuple[str, ...], enable: Value | int) -> Value:
    """One block: a * b behind its `registers`, which `enable` moves. signs: whether both are signed, or neither."""
    ports = {}
    for name, value in (("A", a), ("B", b)):
        operand = Signal(_BITS, name=name.lower())  # unsigned: Yosys 0.70 fails over bits of signed nets at such ports
        m.d.comb += operand.eq(value)
        ports |= {f"i_{name}{n}": operand[n] for n in range(_BITS)} | {f"i_SIGNED{name}": Const(signs, 1)}
    product = Signal(2 * _BITS, name="product")
    ports |= {f"o_P{n}": product[n] for n in range(2 * _BITS)}
    m.submodules += Instance(
        ECP5.dsp.primitive, p_GSR="DISABLED",
        **{f"p_REG_{name}_CLK": "CLK0" for name in registers}, i_CLK0=ClockSignal(), i_CE0=Value.cast(enable),
        i_RST0=Const(0), i_SOURCEA=Const(0), i_SOURCEB=Const(0), **ports)
    result = product[:len(a) + len(b)]
    return result.as_signed() if signs else result
