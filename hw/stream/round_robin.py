"""Round-robin arbiter."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
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

        def below(bits: Value) -> Value:
            """For each bit whether one below it is set: a LUT or two each, where a carry chain is many levels."""
            return Cat(bits[:i].any() for i in range(self._count))

        below_first, below_all = below(first), below(self.requests)
        m.d.comb += [
            first.eq(self.requests & after),
            self.grant.eq(Mux(first.any(), first & ~below_first, self.requests & ~below_all)),
        ]
        with m.If(self.advance & self.requests.any()):
            # what lies behind the lowest of some requests lies above one of them: no need to wait for the grant
            m.d.sync += after.eq(Mux(first.any(), below_first, below_all))
        return m
