"""Multiply-adds with Lattice's multiplier MULT18X18D: operands and product in its registers, sums in the fabric."""

from __future__ import annotations

import re
from pathlib import Path

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value, signed

from hw.arith.product_sum import Sum
from hw.boards.technology import ECP5, Dsp

__all__ = ["accumulate", "mult18_models", "multiply_add", "registered_product"]

_BITS = 18
_DIGIT_BITS = _BITS - 1  # an unsigned digit in a signed port
_REGISTERS = ("INPUTA", "INPUTB", "OUTPUT")


def mult18_models(verilog: str) -> str:
    """Verilog of the block if a text uses it, for Verilator."""
    if not re.search(rf"^ *{ECP5.dsp.primitive} ", verilog, re.MULTILINE):
        return ""
    return Path(__file__).with_suffix(".v").read_text(encoding="utf-8")


def multiply_add(m: Module, dsp: Dsp, a: Value, b: Value, before: Sum | None) -> Sum:
    """See `hw.arith.multiply_add`. Operands wider than the block's take several."""
    product = _product(m, a, b, inputs=True)
    total = Signal(signed(dsp.sum_bits), name="total", reset_less=True)
    m.d.sync += total.eq(product if before is None else product + before.cascade)
    return Sum(total, total)


def accumulate(m: Module, dsp: Dsp, operands: list[tuple[Value, Value]], *, first: Value, enable: Value) -> Value:
    """See `hw.arith.multiply_add`. Operands wider than the block's take several."""
    *early, last = operands
    before = None
    for a, b in early:
        before = multiply_add(m, dsp, a, b, before)
    product, anew = _product(m, *last, inputs=True), Signal(name="anew", reset_less=True)
    total = Signal(signed(dsp.sum_bits), name="total", reset_less=True)
    m.d.sync += anew.eq(first)
    with m.If(enable):
        m.d.sync += total.eq(Mux(anew, 0, total) + product + (0 if before is None else before.cascade))
    return total


def _product(m: Module, a: Value, b: Value, *, inputs: bool, enable: Value | None = None) -> Value:
    """a * b, a cycle later, or two with registers at the inputs; what several blocks give is added combinationally."""
    return sum((_block(m, a_digit, b_digit, inputs, enable) << a_low + b_low
                for a_low, a_digit in _digits(a) for b_low, b_digit in _digits(b)), Const(0, signed(1)))


def registered_product(m: Module, a: Value, b: Value, enable: Value) -> list[tuple[int, Value]]:
    """a * b in parts, a cycle later where `enable`: (place, product), signed, whose sum at their places it is."""
    return [(a_low + b_low, _block(m, a_digit, b_digit, False, enable))
            for a_low, a_digit in _digits(a) for b_low, b_digit in _digits(b)]


def _digits(x: Value) -> list[tuple[int, Value]]:
    """Where each begins, and its value: signed, of at most 18 bits, unsigned ones below the last with a zero on top."""
    x = Value.cast(x)
    x = x if x.shape().signed else Cat(x, Const(0, 1)).as_signed()
    starts = range(0, max(1, len(x) - 1), _DIGIT_BITS)
    return [(low, x[low:].as_signed() if low == starts[-1] else Cat(x[low:low + _DIGIT_BITS], Const(0, 1)).as_signed())
            for low in starts]


def _block(m: Module, a: Value, b: Value, inputs: bool, enable: Value | None) -> Value:
    """One block: its output register, and those at its inputs; `enable` moves all of them."""
    ports = {}
    for name, value in (("A", a), ("B", b)):
        operand = Signal(_BITS, name=name.lower())  # unsigned: Yosys 0.70 fails over bits of signed nets at such ports
        m.d.comb += operand.eq(value)
        ports |= {f"i_{name}{n}": operand[n] for n in range(_BITS)}
    product = Signal(2 * _BITS, name="product")
    ports |= {f"o_P{n}": product[n] for n in range(2 * _BITS)}
    used = _REGISTERS if inputs else _REGISTERS[-1:]
    m.submodules += Instance(
        ECP5.dsp.primitive, p_SOURCEB_MODE="B_INPUT", p_GSR="DISABLED",
        **{f"p_REG_{name}_CLK": "CLK0" for name in used}, i_CLK0=ClockSignal(),
        i_CE0=Const(1) if enable is None else enable, i_RST0=Const(0), i_SIGNEDA=Const(1), i_SIGNEDB=Const(1),
        i_SOURCEA=Const(0), i_SOURCEB=Const(0), **ports)
    width = len(Value.cast(a)) + len(Value.cast(b))
    return product[:width].as_signed()
