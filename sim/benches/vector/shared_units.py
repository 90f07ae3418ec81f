"""A unit of the vector engine together with the scalar unit and the tap that the engine shares among its units."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from hw.arith.scalar_unit import ScalarUnit
from hw.vector.norm_quant import TAP_USER
from hw.vector.tap import Tap

__all__ = ["WithSharedUnits"]

_SHARED = ("scalar", "o_tap", "i_tap", "tap_settings")


class WithSharedUnits(wiring.Component):
    """`unit` with its `scalar` port, and its tap ports where it has them, connected; its other ports go out."""

    def __init__(self, unit: wiring.Component):
        self._unit = unit
        super().__init__({name: member for name, member in unit.signature.members.items() if name not in _SHARED})

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = self._unit
        m.submodules.scalar = scalar = ScalarUnit()
        connect(m, unit.scalar.operands, scalar.i)
        connect(m, scalar.o, unit.scalar.result)
        if "o_tap" in unit.signature.members:
            m.submodules.tap = tap = Tap(TAP_USER)
            connect(m, unit.o_tap, tap.i)
            connect(m, tap.o, unit.i_tap)
            m.d.comb += tap.settings.eq(unit.tap_settings)
        for name, member in self.signature.members.items():
            outer, inner = getattr(self, name), getattr(unit, name)
            if member.is_signature:
                connect(m, flipped(outer), inner)
            elif member.flow == In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner)
        return m
