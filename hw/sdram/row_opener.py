"""Row opener: looks a burst ahead and opens its row while columns of the one before are transferred."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.sdram.pins import BANK_BITS, BEAT_WORDS, COMMAND, ROW_BITS, Command
from hw.sdram.shapes import JOB
from hw.sdram.timing import SdramCycles

__all__ = ["RowOpener"]

_BANKS = 1 << BANK_BITS


class RowOpener(wiring.Component):
    """Take a job, give it on once its row is open and may be read and written.

    `command` is given where `wanted` and `allowed` are high: PRECHARGE and ACTIVATE of the job's bank, as it needs
    them. A row is not closed while the bank has a job at `columns_bank` (`columns_busy`), nor before what is under way
    in it has ended: `column` says that a column command of that bank is given, and whether it writes.
    `pause` keeps new jobs back. `quiet`: there is none, here or at the columns, and all banks may be precharged; with
    `closed` they have been.
    """

    def __init__(self, cycles: SdramCycles) -> None:
        self._cycles = cycles
        super().__init__({
            "i": In(stream.Signature(JOB)),
            "o": Out(stream.Signature(JOB)),
            "wanted": Out(1), "allowed": In(1), "command": Out(COMMAND),
            "columns_busy": In(1), "columns_bank": In(BANK_BITS), "column": In(1), "column_writes": In(1),
            "pause": In(1), "quiet": Out(1), "closed": In(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        cycles = self._cycles
        m.submodules.rows = rows = Memory(shape=ROW_BITS, depth=_BANKS, init=[])
        read, write = rows.read_port(domain="comb"), rows.write_port()
        opened = Signal(_BANKS)
        job, held = Signal(JOB, reset_less=True), Signal()
        wait = Signal(range(max(cycles.rcd, cycles.rrd, cycles.rp)))
        waited = Signal(init=1)  # wait == 0
        blocked = self._unfinished(m)

        def hold(cycles: int) -> list:
            return [wait.eq(max(cycles - 1, 0)), waited.eq(cycles <= 1)]

        m.d.comb += [
            read.addr.eq(job.place.bank), write.addr.eq(job.place.bank), write.data.eq(job.place.row),
            self.o.payload.eq(job), self.command.bank.eq(job.place.bank),
            self.i.ready.eq(~held & ~self.pause),
            self.quiet.eq(~held & ~self.columns_busy & ~blocked.any()),
        ]
        with m.If(~waited):
            m.d.sync += [wait.eq(wait - 1), waited.eq(wait == 1)]
        with m.If(self.closed):
            m.d.sync += opened.eq(0)
        here = Signal()  # the bank must keep its row
        m.d.comb += here.eq((self.columns_busy & (self.columns_bank == job.place.bank))
                            | blocked.bit_select(job.place.bank, 1))
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += [job.eq(self.i.payload), held.eq(1)]
                    m.next = "LOOK"
            with m.State("LOOK"):
                with m.If(~opened.bit_select(job.place.bank, 1)):
                    m.next = "ACTIVATE"
                with m.Elif(read.data == job.place.row):
                    m.next = "OPEN"
                with m.Else():
                    m.next = "PRECHARGE"
            with m.State("PRECHARGE"):
                m.d.comb += [self.wanted.eq(~here), self.command.code.eq(Command.PRECHARGE)]
                with m.If(self.wanted & self.allowed):
                    m.d.sync += [opened.bit_select(job.place.bank, 1).eq(0), *hold(cycles.rp)]
                    m.next = "ACTIVATE"
            with m.State("ACTIVATE"):
                m.d.comb += [self.wanted.eq(waited), self.command.code.eq(Command.ACTIVATE),
                             self.command.address.eq(job.place.row)]
                with m.If(self.wanted & self.allowed):
                    m.d.comb += write.en.eq(1)
                    m.d.sync += opened.bit_select(job.place.bank, 1).eq(1)
                    # the job takes a cycle to the columns, and one until another is there
                    m.d.sync += hold(max(cycles.rcd, cycles.rrd) - 1)
                    m.next = "OPEN"
            with m.State("OPEN"):
                m.d.comb += self.o.valid.eq(waited)
                with m.If(self.o.valid & self.o.ready):
                    m.d.sync += held.eq(0)
                    m.next = "IDLE"
        return m

    def _unfinished(self, m: Module) -> Signal:
        """Bits by bank: a PRECHARGE would come too early, for its row is too young or data are under way."""
        cycles = self._cycles
        activates = Signal()
        m.d.comb += activates.eq(self.wanted & self.allowed & (self.command.code == Command.ACTIVATE))
        blocked = Signal(_BANKS)
        written = BEAT_WORDS - 1 + cycles.wr
        for bank in range(_BANKS):
            left = Signal(range(max(written, cycles.ras)), name=f"left_{bank}")
            column = Signal(name=f"column_{bank}")
            m.d.comb += column.eq(self.column & (self.columns_bank == bank))
            with m.If(column):
                m.d.sync += [left.eq(Mux(self.column_writes, written - 1, BEAT_WORDS - 1)), blocked[bank].eq(1)]
            with m.Elif(activates & (self.command.bank == bank)):
                m.d.sync += [left.eq(cycles.ras - 1), blocked[bank].eq(cycles.ras > 1)]
            with m.Elif(blocked[bank]):
                m.d.sync += [left.eq(left - 1), blocked[bank].eq(left != 1)]
        return blocked
