"""A write master as the core has it, which may be reset, and the guard between it and memory."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.memory.axi import Axi4Write
from hw.memory.shapes import WRITE_BEAT
from hw.memory.write_master import WriteMaster
from hw.soc.core_reset import CoreReset
from hw.soc.write_guard import WriteGuard
from hw.stream.reset_tree import ResetTree

LIMIT = (1 << 32) - 1


class GuardedWriter(wiring.Component):
    """`request` resets the master."""

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(WRITE_BEAT)), "request": In(1), "quiet": Out(1), "whole": Out(1),
                          "axi": Out(Axi4Write())})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.core_reset = reset = CoreReset()
        m.submodules.guard = guard = WriteGuard()
        master = WriteMaster(1)
        m.submodules.master = ResetInserter(reset.reset)(ResetTree("master")(master))
        connect(m, flipped(self.i), master.i[0])
        connect(m, master.axi, guard.i)
        connect(m, guard.o, flipped(self.axi))
        m.d.comb += [reset.request.eq(self.request), guard.cut.eq(reset.cut), master.limit.eq(LIMIT),
                     self.quiet.eq(master.quiet), self.whole.eq(guard.whole)]
        return m
