"""One DSP block: operands, product and sum, with the registers inside it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value

__all__ = ["A_BITS", "B_BITS", "DSP48_MODEL", "Sum", "dsp48"]

A_BITS, B_BITS, _P_BITS = 27, 18, 48  # of the signed operands and the sum

DSP48_MODEL = Path(__file__).with_name("dsp48e2.v")
"""Verilog of the block for Verilator."""

# OPMODE (UG579): what the adder's four inputs are
_PRODUCT = 0b0101  # X and Y: the product; bits 3 .. 0
_CASCADE = 0b001  # Z: PCIN, the sum of the block before; bits 6 .. 4

_UNUSED = {"C": 48, "D": 27, "ACIN": 30, "BCIN": 18, "CARRYCASCIN": 1, "MULTSIGNIN": 1, "ALUMODE": 4, "INMODE": 5,
           "CARRYINSEL": 3, "CARRYIN": 1}
_DISABLED = ("CEA1", "CEAD", "CEALUMODE", "CEB1", "CEC", "CECARRYIN", "CED", "CEINMODE")
_RESETS = ("A", "ALLCARRYIN", "ALUMODE", "B", "C", "CTRL", "D", "INMODE", "M", "P")


class Sum(NamedTuple):
    """A block's sum: `value` for the fabric, signed, `cascade` for the next block and nothing else."""

    value: Value
    cascade: Value


def dsp48(m: Module, a: Value, b: Value, cascade: Value | None = None, *, enable: Value | None = None,
          restart: Value | None = None) -> Sum:
    """A DSP48E2 that gives a * b + cascade, or the running sum of that; 48 bits, three cycles after a and b.

    a: 27 bits signed, b: 18, or unsigned and a bit less. `cascade` (None: 0) is of the cycle two after a and b, that
    of their product, and so is `enable` (None: always): without it the sum stays. With `restart` the sum
    accumulates; `restart`, of the cycle after a and b, begins it anew with their product. Yosys does not
    find such sums for UltraScale+ and would leave the adders and all registers in the fabric; hence the primitive.
    """
    for name, value, bits in (("a", a, A_BITS), ("b", b, B_BITS)):
        if len(value) + (not value.shape().signed) > bits:
            raise ValueError(f"operand {name} has {bits} bits, not {value.shape()!r}")
    operands = Signal(30, name="a"), Signal(B_BITS, name="b")
    p, pcout = Signal(_P_BITS, name="p"), Signal(_P_BITS, name="pcout")
    m.d.comb += [operands[0].eq(a), operands[1].eq(b)]
    opmode = Cat(Const(_PRODUCT, 4), Const(0 if cascade is None else _CASCADE, 3),
                 Const(0, 2) if restart is None else Cat(~restart, Const(0, 1)))
    m.submodules += Instance(
        "DSP48E2", p_ALUMODEREG=0, p_CARRYINREG=0, p_CARRYINSELREG=0, p_INMODEREG=0,
        p_OPMODEREG=0 if restart is None else 1,
        i_CLK=ClockSignal(), i_A=operands[0], i_B=operands[1], i_PCIN=Const(0, _P_BITS) if cascade is None else cascade,
        i_OPMODE=opmode, **{f"i_{name}": Const(1) for name in ("CEA2", "CEB2", "CECTRL", "CEM")},
        i_CEP=Const(1) if enable is None else enable,
        **{f"i_{name}": Const(0, bits) for name, bits in _UNUSED.items()},
        **{f"i_{name}": Const(0) for name in _DISABLED}, **{f"i_RST{name}": Const(0) for name in _RESETS},
        o_P=p, o_PCOUT=pcout)
    return Sum(p.as_signed(), pcout)
