"""Watchdog: tells a run that makes no progress."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Watchdog"]


class Watchdog(wiring.Component):
    """Raise `expired` when `limit` cycles pass without `progress` while `enable` is high; 0: never.

    `expired` comes at most two cycles late and stays until `enable` falls or progress is made.
    """

    def __init__(self) -> None:
        super().__init__({"limit": In(32), "enable": In(1), "progress": In(1), "expired": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        waited = Signal(32)
        m.d.sync += [
            waited.eq(waited + 1),
            self.expired.eq((self.limit != 0) & (waited >= self.limit)),
        ]
        with m.If(~self.enable | self.progress):
            m.d.sync += [waited.eq(0), self.expired.eq(0)]
        return m
