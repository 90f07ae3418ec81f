"""Event counter: a counter register."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["EventCounter"]


class EventCounter(wiring.Component):
    """Sum of `events` over the cycles since `clear`, modulo 2**32. Two cycles late."""

    def __init__(self, event_bits: int = 1) -> None:
        if not 1 <= event_bits <= 32:
            raise ValueError(f"event_bits must be 1 to 32, got {event_bits}")
        super().__init__({"events": In(event_bits), "clear": In(1), "count": Out(32)})

    def elaborate(self, platform) -> Module:
        m = Module()
        sampled = Signal.like(self.events)
        m.d.sync += [sampled.eq(self.events), self.count.eq(self.count + sampled)]
        with m.If(self.clear):
            m.d.sync += [sampled.eq(0), self.count.eq(0)]
        return m
