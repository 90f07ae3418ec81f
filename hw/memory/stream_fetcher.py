"""Stream fetcher: asks for weight and head streams, and pieces of them, ahead of their use."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.memory.shapes import BURST
from hw.memory.stripe_walk import STRIPE_BURSTS, STRIPE_PART, StripeWalk
from models.machine.build import BURST_BEATS

__all__ = ["STREAM_PIECE", "StreamFetcher", "times"]

STREAM_PIECE = data.StructLayout({
    "first": STRIPE_PART["start"].shape, "groups": STRIPE_PART["groups"].shape, "rest": STRIPE_PART["rest"].shape,
    "spread": range(STRIPE_BURSTS + 1)})
"""Of a striped stream, in bursts a port: `groups` whole groups from `first` on, then `rest` of a further one, whose
ports' parts lie `spread` apart: all of a shorter last group, where it is as many, or a part of any group."""


def times(value: Value, factor: int) -> Value:
    """value x factor, as shifts and sums: a product would become a DSP."""
    return sum((value << bit for bit in range(factor.bit_length()) if factor >> bit & 1), Const(0, 1))


class StreamFetcher(wiring.Component):
    """Turn pieces of streams into full bursts, one sequence a port.

    Streams are striped over the ports as by `models.machine.layout.stripe`: a group is 64 bursts a port, the last one
    the rest of them, and of a group of b port p reads the 256 b bytes from group + 256 b p on.

    Each port runs ahead of the others (`hw.memory.stripe_walk`) as far as its FIFO (`depth` beats, of which `taken`
    gives back one at a time) has room, one burst every other cycle, also from one piece to the next: it is
    taken while the ports are still at the one before, and `begun` pulses when the last port has begun with it. Five
    cycles from a piece to its first burst. `idle`, a cycle late: all bursts of all pieces are handed over.
    """

    def __init__(self, ports: int, depth: int) -> None:
        if not 1 <= ports <= 4:
            raise ValueError(f"ports must be 1 to 4, got {ports}")
        if depth < BURST_BEATS:
            raise ValueError(f"depth must be at least a burst of {BURST_BEATS}, got {depth}")
        self._ports, self._depth = ports, depth
        super().__init__({
            "i": In(stream.Signature(STREAM_PIECE)),
            "begun": Out(1),
            "bursts": Out(stream.Signature(BURST)).array(ports),
            "taken": In(ports),
            "idle": Out(1, init=1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        stripe_bits = (STRIPE_BURSTS - 1).bit_length()
        piece = Signal(STREAM_PIECE, reset_less=True)
        first, groups = piece.first, piece.groups
        last = Signal.like(first)  # where the group begins that is not whole
        multiples = [Signal(range(p * STRIPE_BURSTS + 1), reset_less=True, name=f"part_{p}")
                     for p in range(self._ports)]  # p x spread
        left = Signal(self._ports)  # ports that have not begun with the piece on offer
        begun = Signal(self._ports)

        walks = [StripeWalk(self._ports, self._depth) for _ in range(self._ports)]
        for port, walk in enumerate(walks):
            m.submodules[f"walk_{port}"] = walk
            connect(m, walk.burst, flipped(self.bursts[port]))
            start, tail = Signal.like(first, name=f"start_{port}"), Signal.like(first, name=f"tail_{port}")
            m.d.sync += [
                start.eq(first + Mux(groups == 0, multiples[port], port * STRIPE_BURSTS)),
                tail.eq(last + multiples[port]),
            ]
            m.d.comb += [
                walk.i.payload.start.eq(start),
                walk.i.payload.tail.eq(tail),
                walk.i.payload.groups.eq(groups),
                walk.i.payload.rest.eq(piece.rest),
                walk.i.valid.eq(left[port]),
                begun[port].eq(walk.i.valid & walk.i.ready),
                walk.taken.eq(self.taken[port]),
            ]
        m.d.sync += left.eq(left & ~begun)

        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += piece.eq(self.i.payload)
                with m.If(self.i.valid):
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.d.sync += [part.eq(times(piece.spread, port)) for port, part in enumerate(multiples)]
                m.d.sync += last.eq(first + (times(groups, self._ports) << stripe_bits))
                m.next = "ADD"
            with m.State("ADD"):
                m.d.sync += left.eq(Const(-1, self._ports))
                m.next = "HAND OVER"
            with m.State("HAND OVER"):
                with m.If(left == 0):
                    m.d.comb += self.begun.eq(1)
                    m.next = "IDLE"
            m.d.sync += self.idle.eq(fsm.ongoing("IDLE") & Cat(*(walk.idle for walk in walks)).all())
        return m
