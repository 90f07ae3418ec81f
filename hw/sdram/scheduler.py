"""Scheduler: the commands by which jobs are done, the chip is initialised and refreshed."""

from __future__ import annotations

from amaranth.hdl import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.sdram.columns import Columns
from hw.sdram.pins import COMMAND, Command
from hw.sdram.row_opener import RowOpener
from hw.sdram.shapes import JOB, MASTER_BITS
from hw.sdram.timing import SdramCycles
from hw.sdram.upkeep import Upkeep

__all__ = ["Scheduler"]


class Scheduler(wiring.Component):
    """Take jobs in order; `command` is the chip's, NOP where there is none, a cycle after it was decided on.

    A column command is told as it is decided on (`given`), with whether it `writes`, its job's `master`, and whether it
    is the `last` of its job. `ready`: the chip is initialised. data_cycles: as in `hw.sdram.memory`.
    """

    def __init__(self, cycles: SdramCycles, data_cycles: int, refreshes: int) -> None:
        self._cycles, self._data_cycles, self._refreshes = cycles, data_cycles, refreshes
        super().__init__({
            "i": In(stream.Signature(JOB)),
            "command": Out(COMMAND, init={"code": Command.NOP}),
            "given": Out(1), "writes": Out(1), "master": Out(MASTER_BITS), "last": Out(1),
            "ready": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.opener = opener = RowOpener(self._cycles)
        m.submodules.columns = columns = Columns(self._cycles, self._data_cycles)
        m.submodules.upkeep = upkeep = Upkeep(self._cycles, self._refreshes)
        connect(m, flipped(self.i), opener.i)
        connect(m, opener.o, columns.i)
        m.d.comb += [
            opener.allowed.eq(~columns.given), opener.column.eq(columns.given), opener.column_writes.eq(columns.writes),
            opener.columns_busy.eq(columns.busy), opener.columns_bank.eq(columns.bank),
            opener.pause.eq(upkeep.pause), opener.closed.eq(upkeep.closed), upkeep.quiet.eq(opener.quiet),
            self.given.eq(columns.given), self.writes.eq(columns.writes), self.master.eq(columns.master),
            self.last.eq(columns.last), self.ready.eq(upkeep.ready),
        ]
        # upkeep gives a command only where the others have none
        with m.If(columns.given):
            m.d.sync += self.command.eq(columns.command)
        with m.Elif(opener.wanted):
            m.d.sync += self.command.eq(opener.command)
        with m.Else():
            m.d.sync += [self.command.eq(upkeep.command),
                         self.command.code.eq(Mux(upkeep.given, upkeep.command.code, Command.NOP))]
        return m
