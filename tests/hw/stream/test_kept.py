"""Attributes of kept registers, as tools find them in the Verilog; that Yosys heeds them: `test_yosys.py`."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.stream.kept import KEPT
from hw.verilog import to_verilog


class _Copies(wiring.Component):
    def __init__(self) -> None:
        super().__init__({"i": In(1), "o": Out(2)})

    def elaborate(self, platform) -> Module:
        m = Module()
        for n in range(2):
            copy = Signal(name=f"copy_{n}", reset_less=True, attrs=KEPT)
            m.d.sync += copy.eq(self.i)
            m.d.comb += self.o[n].eq(copy)
        return m


def test_the_attributes_stand_before_the_register():
    text = to_verilog(_Copies(), None, name="top")
    for n in range(2):
        assert (f'(* equivalent_register_removal = "no" *)\n  (* keep = "true" *)\n  reg copy_{n} = ' in text)
