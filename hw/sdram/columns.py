"""Columns: one READ or WRITE a beat for the jobs whose rows are open, without gaps between them."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.sdram.pins import BEAT_WORDS, COMMAND, Command
from hw.sdram.shapes import JOB, MASTER_BITS
from hw.sdram.timing import SdramCycles

__all__ = ["Columns"]


class Columns(wiring.Component):
    """Give the column commands of jobs: `command` with `given`, every eighth cycle at most.

    Where the bus turns, a cycle is left in which nobody drives it. `job` and `busy` tell what is being transferred;
    `last`: with `given`, of this job.
    data_cycles: as in `hw.sdram.memory`.
    """

    def __init__(self, cycles: SdramCycles, data_cycles: int) -> None:
        self._cycles, self._data_cycles = cycles, data_cycles
        super().__init__({
            "i": In(stream.Signature(JOB)),
            "command": Out(COMMAND), "given": Out(1), "last": Out(1), "writes": Out(1), "master": Out(MASTER_BITS),
            "busy": Out(1), "bank": Out(2),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        job, busy, last = Signal(JOB, reset_less=True), Signal(), Signal()
        # from a READ: its latency, its words, and a cycle for the chip to let go of the bus
        turn = max(self._cycles.cas, self._data_cycles) + BEAT_WORDS + 1
        read_ready = self._ready_in(m, "read", {0: BEAT_WORDS, 1: BEAT_WORDS + 1})
        write_ready = self._ready_in(m, "write", {0: turn, 1: BEAT_WORDS})
        m.d.comb += [
            self.given.eq(busy & Mux(job.write, write_ready, read_ready)),
            self.command.code.eq(Mux(job.write, Command.WRITE, Command.READ)),
            self.command.bank.eq(job.place.bank),
            self.command.address.eq(Cat(0, 0, 0, job.place.column)),
            self.last.eq(last), self.writes.eq(job.write), self.master.eq(job.master),
            self.busy.eq(busy), self.bank.eq(job.place.bank),
            self.i.ready.eq(~busy | (self.given & last)),
        ]
        with m.If(self.i.ready):
            m.d.sync += [busy.eq(self.i.valid), job.eq(self.i.payload), last.eq(self.i.payload.length == 0)]
        with m.Elif(self.given):
            m.d.sync += [job.place.column.eq(job.place.column + 1), job.length.eq(job.length - 1),
                         last.eq(job.length == 1)]
        return m

    def _ready_in(self, m: Module, name: str, after: dict[int, int]) -> Signal:
        """High where a command may be given; after: cycles until then, from a READ and from a WRITE."""
        ready, left = Signal(name=f"{name}_ready", init=1), Signal(range(max(after.values())), name=f"{name}_left")
        with m.If(self.given):
            m.d.sync += [left.eq(Mux(self.writes, after[1] - 1, after[0] - 1)), ready.eq(0)]
        with m.Elif(~ready):
            m.d.sync += [left.eq(left - 1), ready.eq(left == 1)]
        return ready
