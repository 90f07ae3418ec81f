"""Upkeep: the chip's initialisation, and its refresh."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.sdram.pins import ALL_BANKS, COMMAND, Command, mode_register
from hw.sdram.timing import SdramCycles

__all__ = ["Upkeep"]


class Upkeep(wiring.Component):
    """Initialise the chip, then refresh it: one AUTO REFRESH an interval, behind what is under way.

    `pause` asks for no more jobs; once all are `quiet`, PRECHARGE of all banks (`closed`) and AUTO REFRESH are given,
    and the jobs go on. What is due is counted, so a refresh is late by the jobs under way, and none is left out.
    `command` is given while `given`. `ready`: initialised.
    """

    def __init__(self, cycles: SdramCycles, refreshes: int) -> None:
        self._cycles, self._refreshes = cycles, refreshes
        super().__init__({
            "command": Out(COMMAND), "given": Out(1), "pause": Out(1, init=1), "quiet": In(1), "closed": Out(1),
            "ready": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        cycles = self._cycles
        interval, tick = Signal(range(cycles.refresh)), Signal()
        m.d.sync += [interval.eq(interval + 1), tick.eq(interval == cycles.refresh - 2)]
        with m.If(tick):
            m.d.sync += interval.eq(0)
        # before `ready`, intervals that have passed; then refreshes that are due
        count = Signal(range(max(cycles.power_up, self._refreshes) + 1))
        wait, waited = Signal(range(max(cycles.rp, cycles.rfc, cycles.mrd, 2))), Signal(init=1)
        taken = Signal()

        def give(code: Command, then: int) -> None:
            m.d.comb += [self.given.eq(1), self.command.code.eq(code)]
            m.d.sync += [wait.eq(then - 1), waited.eq(then == 1)]

        with m.If(~waited):
            m.d.sync += [wait.eq(wait - 1), waited.eq(wait == 1)]
        with m.If(self.ready):
            m.d.sync += count.eq(count + tick - taken)
        with m.FSM():
            with m.State("POWER_UP"):
                m.d.sync += count.eq(count + tick)
                with m.If(count == cycles.power_up):
                    m.d.sync += count.eq(self._refreshes)
                    m.next = "PRECHARGE"
            with m.State("PRECHARGE"):
                give(Command.PRECHARGE, cycles.rp)
                m.d.comb += [self.command.address.eq(ALL_BANKS), self.closed.eq(1)]
                m.next = "REFRESH"
            with m.State("REFRESH"):
                with m.If(waited):
                    m.d.comb += taken.eq(1)
                    with m.If(self.ready):
                        give(Command.REFRESH, max(cycles.rfc - 2, 1))  # a job has two cycles to its first command
                        m.next = "REFRESHED"
                    with m.Else():
                        give(Command.REFRESH, cycles.rfc)
                        m.d.sync += count.eq(count - 1)
                        with m.If(count == 1):
                            m.next = "MODE"
            with m.State("MODE"):
                with m.If(waited):
                    give(Command.LOAD_MODE, cycles.mrd)
                    m.d.comb += self.command.address.eq(mode_register(cycles.cas))
                    m.next = "INITIALISED"
            with m.State("INITIALISED"):
                with m.If(waited):
                    m.d.sync += [self.ready.eq(1), self.pause.eq(0)]
                    m.next = "SERVE"
            with m.State("SERVE"):
                with m.If(count != 0):
                    m.d.sync += self.pause.eq(1)
                with m.If(self.pause & self.quiet):
                    m.next = "PRECHARGE"
            with m.State("REFRESHED"):
                with m.If(waited):
                    m.d.sync += self.pause.eq(count != 0)
                    m.next = "SERVE"
        return m
