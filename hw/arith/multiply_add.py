"""Products that are added up in a cascade or over time, in the technology's own blocks alone."""

from __future__ import annotations

from amaranth.hdl import Module, Value

from hw.arith import behavioural_product, dsp48, fabric_product, mult18
from hw.arith.product_sum import MULTIPLY_ADD_LATENCY, Sum
from hw.boards.technology import ECP5, PLAIN, Dsp, Technology

__all__ = ["MULTIPLY_ADD_LATENCY", "accumulate", "multiply_add", "operand_bits", "registered_product"]

_SIBLINGS = {"DSP48E1": dsp48, "DSP48E2": dsp48, "MULT18X18D": mult18, "": behavioural_product}


def _dsp(technology: Technology | None) -> Dsp:
    return (technology or PLAIN).dsp


def operand_bits(technology: Technology | None) -> tuple[int, int]:
    """Widest signed a and b."""
    dsp = _dsp(technology)
    return dsp.a_bits, dsp.b_bits


def multiply_add(m: Module, technology: Technology | None, a: Value, b: Value, before: Sum | None, *,
                 chain: int = 0) -> Sum:
    """The sum `before` (None: 0) and a * b, MULTIPLY_ADD_LATENCY cycles after a and b, one cycle after `before`.

    a, b: at most `operand_bits`. In a chain, the operands of each step come a cycle after those of the one before; its
    b's are all as wide, for a technology may take narrow ones out of its blocks. chain: its number in the unit.
    """
    dsp = _dsp(technology)
    if technology is not None and len(b) <= technology.fabric_bits and chain >= technology.block_chains:
        return fabric_product.multiply_add(m, dsp, a, b, before)
    return _SIBLINGS[dsp.primitive].multiply_add(m, dsp, a, b, before)


def accumulate(m: Module, technology: Technology | None, operands: list[tuple[Value, Value]], *, first: Value,
               enable: Value) -> Value:
    """The running sum of products, signed: of one pair of operands a step, or of two.

    The second pair's operands come a cycle after the first's. `first` belongs to the cycle after the last operands,
    `enable` to the next, that of their product: `enable` takes it into the sum, `first` begins a new one.
    """
    if len(operands) not in (1, 2):
        raise ValueError(f"one or two products a step are added up, not {len(operands)}")
    dsp = _dsp(technology)
    return _SIBLINGS[dsp.primitive].accumulate(m, dsp, operands, first=first, enable=enable)


def registered_product(m: Module, technology: Technology | None, a: Value, b: Value, *,
                       enable: Value | int = 1) -> Value:
    """a * b, signed, a cycle later where `enable`, in the block's register if no tool puts it there by itself.

    Operands of any width; of wide ones the sum of the blocks is logic behind their registers.
    """
    in_block = _dsp(technology).primitive == ECP5.dsp.primitive
    return (mult18 if in_block else behavioural_product).registered_product(m, a, b, enable)
