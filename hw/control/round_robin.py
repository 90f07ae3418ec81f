"""Round-robin arbiter."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RoundRobin"]


class RoundRobin(wiring.Component):
    """Grant one of `count` requests, one-hot and combinational; 0 where there is none.

    With `advance`, the granted requester falls behind all the others, so a steady request waits for at
    most `count` - 1 grants.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"count must be positive, got {count}")
        self._count = count
        super().__init__({"requests": In(count), "grant": Out(count), "advance": In(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        after = Signal(self._count)  # the requesters behind the last granted one
        first = Signal(self._count)
        later = Signal(self._count)

        def lowest(bits):
            return bits & (~bits + 1)[:self._count]

        m.d.comb += [
            first.eq(self.requests & after),
            later.eq(self.requests),
            self.grant.eq(Mux(first.any(), lowest(first), lowest(later))),
        ]
        with m.If(self.advance & self.requests.any()):
            # All bits above the granted one: -(2 g) over `count` bits.
            m.d.sync += after.eq(~((self.grant << 1) - 1)[:self._count])
        return m
