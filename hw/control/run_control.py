"""Run control: starts a run, ends it well or with an error, and leaves the machine fit for the next."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.machine.registers import Status

__all__ = ["RESET_CYCLES", "SETTLE_CYCLES", "RunControl"]

RESET_CYCLES = 16
"""That the engines' reset lasts at least: longer than it takes through its registers to all of them."""
SETTLE_CYCLES = 8
"""From its end to the first command, for the same reason."""


class RunControl(wiring.Component):
    """State of the current or last run.

    `start` clears DONE and begins a run, unless ERROR is set; `acknowledge` clears DONE and ERROR (given together, a
    failed run is acknowledged and the next one started). A run first holds `reset_engines`, for RESET_CYCLES and until
    the memory system is `quiet`, then, SETTLE_CYCLES later, pulses `go`, and ends

    - when everything is `finished` and quiet: DONE;
    - at the first error: DONE and ERROR with its code. `failing` is high in the cycle before. Where several come at
      once it is the first of `axi_error`, `outside`, `bad_descriptor`, `abort`, a second `start`, `expired`.
      `reset_engines` is high from the next cycle on, as long as before a run. A memory that never answers keeps it
      there: the next run then waits, for the watchdog to end it too.

    `abort` does nothing where there is no run, and keeps a `start` of the same cycle from beginning one.

    irq: DONE, as a level. `status`: the STATUS register, QUIET as of `quiet`, which may come up to RESET_CYCLES late.
    `cycles`: of the last run that ended, its start included.
    """

    def __init__(self) -> None:
        super().__init__({
            "start": In(1),
            "acknowledge": In(1),
            "abort": In(1),
            "quiet": In(1),
            "finished": In(1),
            "axi_error": In(1),
            "outside": In(1),
            "bad_descriptor": In(1),
            "expired": In(1),
            "go": Out(1),
            "accepted": Out(1),
            "busy": Out(1),
            "failing": Out(1),
            "reset_engines": Out(1, init=1),
            "status": Out(32),
            "cycles": Out(64),
            "irq": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        done, error, code = Signal(), Signal(), Signal(range(Status.ERROR_BUSY + 1))
        failed, stopped = Signal(), Signal()
        count, left = Signal(64), Signal(range(RESET_CYCLES), init=RESET_CYCLES - 1)
        still = Signal()  # quiet, and was asked to be for long enough to say so
        m.d.comb += [
            stopped.eq(self.abort | self.start | self.expired),
            failed.eq(self.axi_error | self.outside | self.bad_descriptor | stopped),
            still.eq(self.quiet & (left == 0)),
            self.accepted.eq(self.start & ~self.abort & ~self.busy & (~error | self.acknowledge)),
            self.irq.eq(done),
            self.status.eq(Mux(self.busy, Status.BUSY, 0) | Mux(done, Status.DONE, 0) | Mux(error, Status.ERROR, 0)
                           | Mux(still, Status.QUIET, 0) | Cat(Const(0, 8), code)),
        ]
        with m.If(self.acknowledge | self.accepted):
            m.d.sync += [done.eq(0), error.eq(0), code.eq(Status.ERROR_NONE)]
        with m.If(self.busy):
            m.d.sync += count.eq(count + 1)
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)

        def reset() -> None:
            m.d.sync += [self.reset_engines.eq(1), left.eq(RESET_CYCLES - 1)]

        def end() -> None:
            m.d.sync += [done.eq(1), self.cycles.eq(count + 1)]
            m.next = "IDLE"

        def fail() -> None:
            m.d.comb += self.failing.eq(1)
            m.d.sync += error.eq(1)
            with m.If(self.axi_error):
                m.d.sync += code.eq(Status.ERROR_AXI)
            with m.Elif(self.outside):
                m.d.sync += code.eq(Status.ERROR_OUTSIDE)
            with m.Elif(self.bad_descriptor):
                m.d.sync += code.eq(Status.ERROR_DESCRIPTOR)
            with m.Elif(self.abort):
                m.d.sync += code.eq(Status.ERROR_ABORTED)
            with m.Elif(self.start):
                m.d.sync += code.eq(Status.ERROR_BUSY)
            with m.Else():
                m.d.sync += code.eq(Status.ERROR_WATCHDOG)
            reset()
            end()

        with m.FSM():
            with m.State("IDLE"):
                with m.If(still):
                    m.d.sync += self.reset_engines.eq(0)
                with m.If(self.accepted):
                    m.d.sync += count.eq(0)
                    reset()
                    m.next = "RESET"
            with m.State("RESET"):
                m.d.comb += self.busy.eq(1)
                with m.If(stopped):
                    fail()
                with m.Elif(still):
                    m.d.sync += [self.reset_engines.eq(0), left.eq(SETTLE_CYCLES - 1)]
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.comb += self.busy.eq(1)
                with m.If(stopped):
                    fail()
                with m.Elif(left == 0):
                    m.d.comb += self.go.eq(1)
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.busy.eq(1)
                with m.If(failed):
                    fail()
                with m.Elif(self.finished & self.quiet):
                    end()
        return m
