"""Stripe walk: one port's bursts of a striped stream."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory.axi import ADDRESS_BITS
from hw.memory.shapes import BURST, BURST_BYTES
from models.machine.build import BURST_BEATS
from models.machine.layout import STRIPE_BEATS

__all__ = ["STRIPE_BURSTS", "STRIPE_PART", "StripeWalk"]

STRIPE_BURSTS = STRIPE_BEATS // BURST_BEATS
_BLOCK_BITS = (BURST_BYTES - 1).bit_length()
_BEAT_BITS = (BURST_BEATS - 1).bit_length()
_BURST_BITS = (STRIPE_BURSTS - 1).bit_length()

STRIPE_PART = data.StructLayout({"start": ADDRESS_BITS - _BLOCK_BITS, "tail": ADDRESS_BITS - _BLOCK_BITS,
                                 "groups": 32 - (STRIPE_BEATS - 1).bit_length(), "rest": _BURST_BITS})
"""A port's part of a stream, addresses in bursts: `groups` times 64 bursts and `rest` ones. `start` is the address of
the first, `tail` that of the first one after the whole groups."""


class StripeWalk(wiring.Component):
    """Send the bursts of a port's parts of streams, one after the other, within the room of its buffer.

    From one group to the next it is `ports` times 64 bursts; the `rest` lie from `tail` on. One burst every
    other cycle, between groups and parts as well if the next part is there. A burst is sent once `depth` beats
    have room for it, `taken` giving back one at a time. A part is taken while the last burst of the one
    before is on offer, at the earliest; `idle` is high where none is left.
    """

    def __init__(self, ports: int, depth: int) -> None:
        self._ports, self._depth = ports, depth
        super().__init__({
            "i": In(stream.Signature(STRIPE_PART)),
            "burst": Out(stream.Signature(BURST)),
            "taken": In(1),
            "idle": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        part, burst = self.i.payload, self.burst
        block = Signal.like(part.start, reset_less=True)
        tail = Signal.like(part.tail, reset_less=True)
        rest = Signal.like(part.rest, reset_less=True)
        groups = Signal.like(part.groups)  # behind the one at work
        left = Signal(range(STRIPE_BURSTS + 1))  # bursts of the one at work
        more, working = Signal(), Signal()  # there are such groups, and such bursts: compared with 0 a cycle ahead
        behind = Signal()  # there is a tail behind the whole groups

        room = Signal(range(self._depth + 1), init=self._depth)
        reserve = Signal()
        m.d.comb += [
            burst.payload.length.eq(BURST_BEATS - 1),
            self.idle.eq(~working & ~more & ~behind & ~burst.valid),
        ]
        m.d.sync += room.eq(room - Mux(reserve, BURST_BEATS, 0) + self.taken)

        with m.If(burst.ready):
            m.d.sync += burst.valid.eq(0)
        with m.If(working):
            with m.If(~burst.valid & room[_BEAT_BITS:].any()):  # room >= BURST_BEATS, without a carry chain
                m.d.comb += reserve.eq(1)
                m.d.sync += [
                    burst.valid.eq(1),
                    burst.payload.address.eq(Cat(Const(0, _BLOCK_BITS), block)),
                    block.eq(block + 1),
                    left.eq(left - 1),
                    working.eq(left != 1),
                ]
        # A burst takes two cycles: the second one is there to find out what follows.
        with m.Elif(more):
            m.d.sync += [
                block.eq(block + (self._ports - 1) * STRIPE_BURSTS),
                left.eq(STRIPE_BURSTS),
                working.eq(1),
                groups.eq(groups - 1),
                more.eq(groups != 1),
            ]
        with m.Elif(behind):
            m.d.sync += [block.eq(tail), left.eq(rest), working.eq(1), behind.eq(0)]
        with m.Else():
            whole = part.groups != 0
            m.d.comb += self.i.ready.eq(1)
            m.d.sync += [block.eq(part.start), tail.eq(part.tail), rest.eq(part.rest)]
            with m.If(self.i.valid):
                m.d.sync += [
                    left.eq(Mux(whole, STRIPE_BURSTS, part.rest)),
                    working.eq(whole | (part.rest != 0)),
                    groups.eq(part.groups - 1),
                    more.eq(whole & (part.groups != 1)),
                    behind.eq(whole & (part.rest != 0)),
                ]
        return m
