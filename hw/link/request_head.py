"""Request head: the fields of the request under way, and how far it has come."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from models.machine.link import REQUEST

__all__ = ["STEP_BITS", "RequestHead"]

STEP_BITS = 5  # of a beat's bytes, the largest step


class RequestHead(wiring.Component):
    """A request's head, taken byte by byte with `shift`; then `advance` adds `step` to `address` and takes it from
    `size`. `over`: size is 0.
    """

    def __init__(self) -> None:
        super().__init__({
            "byte": In(8), "shift": In(1), "advance": In(1), "step": In(STEP_BITS),
            "sequence": Out(8), "operation": Out(8), "session": Out(16), "address": Out(32), "size": Out(32),
            "over": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        fields = Cat(self.sequence, self.operation, self.session, self.address, self.size)
        assert len(fields) == 8 * REQUEST.size
        m.d.comb += self.over.eq(self.size == 0)
        with m.If(self.shift):
            m.d.sync += fields.eq(Cat(fields[8:], self.byte))
        with m.Elif(self.advance):
            m.d.sync += [self.address.eq(self.address + self.step), self.size.eq(self.size - self.step)]
        return m
