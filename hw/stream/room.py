"""Room: counts places that are taken ahead of what will need them."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Room"]


class Room(wiring.Component):
    """Of `places`, all free after reset, `take` (only while `free`) takes one, `give` gives one back.

    `free`: a place is free; a register, right in every cycle.
    """

    def __init__(self, places: int) -> None:
        if places < 1:
            raise ValueError(f"places must be positive, got {places}")
        self._places = places
        super().__init__({"take": In(1), "give": In(1), "free": Out(1, init=1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        left = Signal(range(self._places + 1), init=self._places)
        m.d.sync += [left.eq(left + self.give - self.take),
                     self.free.eq(Mux(self.take == self.give, left != 0, Mux(self.take, left != 1, 1)))]
        return m
