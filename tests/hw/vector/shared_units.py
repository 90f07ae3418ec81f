"""A unit of the vector engine together with what the engine shares among its units, and with its pace."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arith.scalar_unit import ScalarUnit
from hw.memory.burst_former import BurstFormer
from hw.memory.shapes import LOAD_WORD, WRITE_BEAT
from hw.vector.channel_memories import ChannelMemories
from hw.vector.load_pieces import LoadPieces
from hw.vector.rescale import Rescale
from hw.vector.word_tap import WordTap

__all__ = ["WithSharedUnits"]

_CHANNELS = 256
_INSIDE = ("scalar", "rescale", "tap", "products", "memory", "gain", "room", "started", "write")


class WithSharedUnits(wiring.Component):
    """`unit` with its ports to shared units and memories connected; its other ports go out. Beats leave on `o_write`.

    `i_load` fills the memories. A unit that asks for passes, told on `passes`, gets the words of `i_x`, now with
    backpressure, a row a pass; one that says when there is room for a head gets those of `i` so.
    """

    def __init__(self, unit: wiring.Component, lanes: int = 4):
        self._unit, self._lanes = unit, lanes
        members = unit.signature.members
        outer = {name: member for name, member in members.items() if name not in _INSIDE}
        self._paced = "i_x" if "o_pass" in members else "i" if "room" in members else None
        if self._paced:
            outer[self._paced] = In(stream.Signature(members[self._paced].signature.members["payload"].shape))
        if "o_pass" in members:
            # Not by the unit's own name: a wire of its connection has that.
            outer["passes"] = Out(stream.Signature(members["o_pass"].signature.members["payload"].shape,
                                                   always_ready=True))
            del outer["o_pass"]
        if "write" in members:
            outer["o_write"] = Out(stream.Signature(WRITE_BEAT))
        super().__init__({**outer, "i_load": In(stream.Signature(LOAD_WORD))})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        members = unit.signature.members
        m.submodules.memories = memories = ChannelMemories(
            4 * _CHANNELS // self._lanes, _CHANNELS, self._lanes)
        m.submodules.load = load = LoadPieces(self._lanes)
        connect(m, flipped(self.i_load), load.i)
        connect(m, load.o, memories.i_load)
        if "scalar" in members:
            m.submodules.scalar = scalar = ScalarUnit()
            connect(m, unit.scalar.operands, scalar.i)
            connect(m, scalar.o, unit.scalar.result)
        if "rescale" in members:
            m.submodules.rescale = rescale = Rescale(self._lanes)
            connect(m, unit.rescale.words, rescale.i)
            connect(m, rescale.o, unit.rescale.results)
        if "tap" in members:
            m.submodules.tap = tap = WordTap(self._lanes)
            connect(m, unit.tap.words, tap.i)
            connect(m, tap.o, unit.tap.results)
            connect(m, tap.memory, memories.tap)
            m.d.comb += tap.settings.eq(unit.tap.settings)
            if "products" in members:
                m.d.comb += unit.products.eq(tap.products)
        if "gain" in members:
            connect(m, unit.gain, memories.gain)
        if "write" in members:
            m.submodules.former = former = BurstFormer()
            connect(m, unit.write, former.i)
            connect(m, former.o, flipped(self.o_write))
        if "memory" in members:
            connect(m, unit.memory, memories.residual)
        self._pace(m)
        for name, member in members.items():
            if name in _INSIDE or name in (self._paced, "o_pass"):
                continue
            outer, inner = getattr(self, name), getattr(unit, name)
            if name == "o_write":  # words of the residual, which are written too
                m.d.comb += [memories.i_residual.valid.eq(inner.valid), memories.i_residual.p.eq(inner.p)]
            if member.is_signature:
                connect(m, flipped(outer), inner)
            elif member.flow == In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner)
        return m

    def _pace(self, m: Module) -> None:
        """Words of one row, or of one head, for each one that the unit wants."""
        if self._paced is None:
            return
        unit, active, begin = self._unit, Signal(), Signal()
        outer, inner = getattr(self, self._paced), getattr(unit, self._paced)
        if self._paced == "i_x":
            m.d.comb += [unit.o_pass.ready.eq(~active), begin.eq(unit.o_pass.valid & ~active),
                         self.passes.valid.eq(begin), self.passes.p.eq(unit.o_pass.p)]
        else:
            m.d.comb += [begin.eq(unit.room & outer.valid & ~active), unit.started.eq(begin)]
        m.d.comb += [outer.ready.eq(active), inner.valid.eq(active & outer.valid), inner.p.eq(outer.p)]
        with m.If(begin):
            m.d.sync += active.eq(1)
        with m.If(inner.valid & inner.p.last):
            m.d.sync += active.eq(0)
