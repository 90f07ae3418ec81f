"""Run control: how a run begins and ends, and that the machine is fit for the next."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal

from hw.control.run_control import RESET_CYCLES, RunControl
from models.machine.registers import Status
from tests.proofs.claims import Claims, Proof

__all__ = ["PROOFS", "run_control"]


def run_control(kind: type[RunControl] = RunControl):
    """The claims of the unit. kind: with a fault planted."""
    def make(c: Claims) -> None:
        m, u = c.m, c.unit(kind())
        live = ~c.past(c.reset) & c.later()  # no reset between the last cycle and this one
        done, error = u.status[1], u.status[2]
        code = u.status[8:16]
        c.claim("after reset: idle, engines in reset, no word of a run",
                ~c.past(c.reset) | (u.reset_engines & ~u.busy & ~done & ~error & ~u.irq & ~u.go))
        c.claim("irq is DONE", u.irq == done)
        c.claim("ERROR comes with DONE and a code, a code with ERROR", (~error | done) & (error == (code != 0)))
        c.claim("busy or done, not both", ~(u.busy & done))
        c.claim("the engines' reset ends while all is quiet alone",
                ~(live & c.past(u.reset_engines) & ~u.reset_engines) | c.past(u.quiet))
        held = Signal(range(RESET_CYCLES + 1))
        m.d.sync += held.eq(Mux(u.reset_engines, Mux(held == RESET_CYCLES, held, held + 1), 0))
        c.claim("the engines' reset lasts long enough to reach them all",
                ~(live & c.past(u.reset_engines) & ~u.reset_engines) | (held >= RESET_CYCLES) | (
                    c.past(c.reset, RESET_CYCLES + 1) | ~c.past(c.later(), RESET_CYCLES)))
        c.claim("no engine is at work from go on", ~(u.go & u.reset_engines))
        accepted = live & c.past(u.accepted)
        c.claim("a start that is accepted begins a run, DONE and ERROR cleared", ~accepted | (
            u.busy & ~done & ~error & u.reset_engines))
        c.claim("accepted: not while busy, and behind an error with acknowledge alone", ~u.accepted | (
            u.start & ~u.abort & ~u.busy & (~error | u.acknowledge)))
        # a run, and whether it was told to go
        run, gone = Signal(), Signal()
        m.d.sync += [run.eq(u.busy & ~c.reset), gone.eq((gone | u.go) & u.busy & ~c.reset)]
        begins, ends = live & u.busy & ~run, live & ~u.busy & run
        c.claim("a run begins by a start alone", ~begins | c.past(u.accepted))
        c.claim("go comes once in a run", ~(u.go & gone))
        c.claim("a run that ends well was told to go, has finished and is quiet", ~(ends & ~error) | (
            done & gone & c.past(u.finished & u.quiet)))
        failed = u.axi_error | u.outside | u.bad_descriptor | u.abort | u.start | u.expired
        c.claim("an error ends the run in the next cycle, with the engines in reset", ~(
            live & c.past(u.busy & gone & failed)) | (ends & done & error & u.reset_engines))
        stopped = u.abort | u.start | u.expired
        c.claim("abort, start and watchdog end a run before it goes, too", ~(live & c.past(u.busy & stopped)) | (
            ends & error))
        first = Mux(c.past(u.axi_error), Status.ERROR_AXI, Mux(c.past(u.outside), Status.ERROR_OUTSIDE, Mux(
            c.past(u.bad_descriptor), Status.ERROR_DESCRIPTOR, Mux(c.past(u.abort), Status.ERROR_ABORTED, Mux(
                c.past(u.start), Status.ERROR_BUSY, Status.ERROR_WATCHDOG)))))
        c.claim("the code names the first error", ~(ends & error & c.past(gone)) | (code == first))
        c.claim("an error stays until it is acknowledged", ~(live & c.past(error & ~u.acknowledge)) | (
            error & done & (code == c.past(code))))
        c.claim("failing a cycle before", ~live | (c.past(u.failing) == (ends & error)))
        c.claim("QUIET is told while all is quiet alone", ~u.status[3] | u.quiet)
        c.claim("no other bit of STATUS", Cat(u.status[4:8], u.status[16:]) == 0)
        c.reach("a run ends well", ends & ~error, bound=80)
        c.reach("a run fails with each error", ends & (code == Status.ERROR_WATCHDOG), bound=80)
    return make


PROOFS = (Proof("RunControl", run_control()),)
