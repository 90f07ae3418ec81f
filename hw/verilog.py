"""Amaranth to Verilog, with the models of the vendor's primitives that a simulator needs."""

from __future__ import annotations

import re

from amaranth.back import verilog

from hw.arith.dsp48 import DSP48_MODEL

__all__ = ["to_verilog"]


def to_verilog(component, **options) -> str:
    """The component's Verilog without source positions; `options` are those of `amaranth.back.verilog.convert`.

    Where primitives are used, their models for Verilator follow: one text serves simulation and synthesis.
    """
    text = verilog.convert(component, emit_src=False, strip_internal_attrs=True, **options)
    return text + DSP48_MODEL.read_text() if re.search(r"^ *DSP48E2 ", text, re.MULTILINE) else text
