"""Run control: starts a run, ends it well or with an error, and leaves the machine fit for the next."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.machine.registers import Status

__all__ = ["RunControl"]


class RunControl(wiring.Component):
    """State of the current or last run.

    `start` clears DONE and begins a run, unless one is under way or ERROR is set; `acknowledge` clears DONE
    and ERROR (given together, a failed run is acknowledged and the next one started). A run first holds
    `reset_engines` until the memory system is `quiet`, then pulses `go`, and ends

    - when everything is `finished` and quiet: DONE;
    - at the first `axi_error`, `bad_descriptor` or `expired`: DONE and ERROR with its code, the first of them
      where several come at once. `reset_engines` is high from the next cycle on, until the memory system
      has received all it asked for. A memory that never answers keeps it there: the next run then waits,
      for the watchdog to end it too.

    irq: DONE, as a level. `status`: the STATUS register. `cycles`: of the run, its start included.
    """

    def __init__(self) -> None:
        super().__init__({
            "start": In(1),
            "acknowledge": In(1),
            "quiet": In(1),
            "finished": In(1),
            "axi_error": In(1),
            "bad_descriptor": In(1),
            "expired": In(1),
            "go": Out(1),
            "accepted": Out(1),
            "busy": Out(1),
            "reset_engines": Out(1, init=1),
            "status": Out(32),
            "cycles": Out(64),
            "irq": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        done, error, code = Signal(), Signal(), Signal(8)
        failed = Signal()
        m.d.comb += [
            failed.eq(self.axi_error | self.bad_descriptor | self.expired),
            self.accepted.eq(self.start & ~self.busy & (~error | self.acknowledge)),
            self.irq.eq(done),
            self.status.eq(Mux(self.busy, Status.BUSY, 0) | Mux(done, Status.DONE, 0)
                           | Mux(error, Status.ERROR, 0) | Cat(Const(0, 8), code)),
        ]
        with m.If(self.acknowledge | self.accepted):
            m.d.sync += [done.eq(0), error.eq(0), code.eq(Status.ERROR_NONE)]
        with m.If(self.busy):
            m.d.sync += self.cycles.eq(self.cycles + 1)

        def fail() -> None:
            m.d.sync += [
                done.eq(1),
                error.eq(1),
                code.eq(Mux(self.axi_error, Status.ERROR_AXI,
                            Mux(self.bad_descriptor, Status.ERROR_DESCRIPTOR, Status.ERROR_WATCHDOG))),
                self.reset_engines.eq(1),
            ]
            m.next = "IDLE"

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.quiet):
                    m.d.sync += self.reset_engines.eq(0)
                with m.If(self.accepted):
                    m.d.sync += [self.reset_engines.eq(1), self.cycles.eq(0)]
                    m.next = "RESET"
            with m.State("RESET"):
                m.d.comb += self.busy.eq(1)
                with m.If(self.quiet):
                    m.d.sync += self.reset_engines.eq(0)
                    m.next = "GO"
                with m.Elif(self.expired):
                    fail()
            with m.State("GO"):
                m.d.comb += [self.busy.eq(1), self.go.eq(1)]
                m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.busy.eq(1)
                with m.If(failed):
                    fail()
                with m.Elif(self.finished & self.quiet):
                    m.d.sync += done.eq(1)
                    m.next = "IDLE"
        return m
