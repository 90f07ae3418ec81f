"""Multiply-adds in Xilinx' DSP blocks, DSP48E1 and DSP48E2: operands, product and sum, with the registers inside."""

from __future__ import annotations

import re
from pathlib import Path

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value

from hw.arith.product_sum import Sum, check_operands
from hw.boards.technology import SERIES_7, ULTRASCALE_PLUS, Dsp

__all__ = ["accumulate", "dsp48_models", "multiply_add"]

_MODE_BITS = {"DSP48E1": 7, "DSP48E2": 9}

# OPMODE (UG479, UG579): what the adder's inputs are
_PRODUCT = 0b0101  # X and Y: the product; bits 3 .. 0
_CASCADE = 0b001  # Z: PCIN, the sum of the block before; bits 6 .. 4. The block's own sum is 0b010
_NO_FOURTH = Const(0, 2)  # W, which the DSP48E2 alone has: the block's own sum is 0b01; bits 8 .. 7

_UNUSED = {"C": 48, "D": 27, "ACIN": 30, "BCIN": 18, "CARRYCASCIN": 1, "MULTSIGNIN": 1, "ALUMODE": 4, "INMODE": 5,
           "CARRYINSEL": 3, "CARRYIN": 1}
_DISABLED = ("CEA1", "CEAD", "CEALUMODE", "CEB1", "CEC", "CECARRYIN", "CED", "CEINMODE")
_RESETS = ("A", "ALLCARRYIN", "ALUMODE", "B", "C", "CTRL", "D", "INMODE", "M", "P")


def dsp48_models(verilog: str) -> str:
    """Verilog of the blocks that a text uses, for Verilator."""
    return "".join(_model(dsp) for dsp in (SERIES_7.dsp, ULTRASCALE_PLUS.dsp)
                   if re.search(rf"^ *{dsp.primitive} ", verilog, re.MULTILINE))


def _model(dsp: Dsp) -> str:
    assert dsp.pre_adder_bits == dsp.a_bits
    words = {"PRIMITIVE": dsp.primitive, "A_BITS": str(dsp.a_bits), "MODE_BITS": str(_MODE_BITS[dsp.primitive])}
    text = Path(__file__).with_suffix(".v").read_text(encoding="utf-8")
    return re.sub("|".join(words), lambda word: words[word[0]], text)


def multiply_add(m: Module, dsp: Dsp, a: Value, b: Value, before: Sum | None) -> Sum:
    """See `hw.arith.multiply_add`."""
    return _add(m, dsp, a, b, None if before is None else before.cascade)


def accumulate(m: Module, dsp: Dsp, operands: list[tuple[Value, Value]], *, first: Value, enable: Value) -> Value:
    """See `hw.arith.multiply_add`.

    The fourth input of a DSP48E2's adder holds its own sum, beside the cascade at the third. A DSP48E1 has three, so
    that each pair has a running sum of its own: the first pair waits in second registers, and the fabric adds.
    """
    *early, last = operands
    if dsp.primitive == "DSP48E2":
        before = None
        for a, b in early:
            before = multiply_add(m, dsp, a, b, before)
        return _add(m, dsp, *last, None if before is None else before.cascade, enable=enable, restart=first).value
    mode = Cat(Const(_PRODUCT, 4), Const(0, 1), ~first, Const(0, 1))
    totals = [_block(m, dsp, a, b, None, mode, enable, moving=True, registers=2).value for a, b in early]
    totals.append(_block(m, dsp, *last, None, mode, enable, moving=True).value)
    return sum(totals[1:], totals[0])[:dsp.sum_bits].as_signed()


def _add(m: Module, dsp: Dsp, a: Value, b: Value, cascade: Value | None, *, enable: Value | None = None,
         restart: Value | None = None) -> Sum:
    """a * b + cascade, or the running sum of that, which `restart` begins anew."""
    mode = [Const(_PRODUCT, 4), Const(0 if cascade is None else _CASCADE, 3)]
    if dsp.primitive == "DSP48E2":
        mode.append(_NO_FOURTH if restart is None else Cat(~restart, Const(0, 1)))
    return _block(m, dsp, a, b, cascade, Cat(*mode), enable, moving=restart is not None)


def _block(m: Module, dsp: Dsp, a: Value, b: Value, cascade: Value | None, mode: Value, enable: Value | None, *,
           moving: bool, registers: int = 1) -> Sum:
    """A block whose adder gets what `mode` says; its sum, three cycles after a and b, or four with two `registers`.

    a, b: as wide as the block's ports, or unsigned and a bit less. `cascade` (None: 0) and `enable` (None: always) are
    of their product's cycle: without `enable` the sum stays. `mode` is constant, or `moving` and of the cycle before
    that. Yosys does not find such sums for UltraScale+ and would leave the adders and all registers in the
    fabric; hence the primitive.
    """
    check_operands(a, b, dsp.a_bits, dsp.b_bits)
    operands = Signal(30, name="a"), Signal(dsp.b_bits, name="b")
    p, pcout = Signal(dsp.sum_bits, name="p"), Signal(dsp.sum_bits, name="pcout")
    m.d.comb += [operands[0].eq(a), operands[1].eq(b)]
    unused = _UNUSED | {"D": dsp.pre_adder_bits}
    enabled = dict.fromkeys(("CEA2", "CEB2", "CECTRL", "CEM"), 1)
    disabled, depth = dict.fromkeys(_DISABLED, 0), {}
    if registers == 2:
        depth = {"p_AREG": 2, "p_BREG": 2}
        disabled |= {"CEA1": 1, "CEB1": 1}
    m.submodules += Instance(
        dsp.primitive, p_ALUMODEREG=0, p_CARRYINREG=0, p_CARRYINSELREG=0, p_INMODEREG=0, p_OPMODEREG=int(moving),
        **depth, i_CLK=ClockSignal(), i_A=operands[0], i_B=operands[1],
        i_PCIN=Const(0, dsp.sum_bits) if cascade is None else cascade,
        i_OPMODE=mode, **{f"i_{name}": Const(value) for name, value in enabled.items()},
        i_CEP=Const(1) if enable is None else enable,
        **{f"i_{name}": Const(0, bits) for name, bits in unused.items()},
        **{f"i_{name}": Const(value, 1) for name, value in disabled.items()},
        **{f"i_RST{name}": Const(0) for name in _RESETS},
        o_P=p, o_PCOUT=pcout)
    return Sum(p.as_signed(), pcout)
