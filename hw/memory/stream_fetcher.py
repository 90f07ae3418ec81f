"""Stream fetcher: the FETCH engine, which asks for weight and head streams ahead of their use."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.command import COMMAND_BITS, command_layout
from hw.memory.shapes import BURST, BURST_BYTES
from hw.memory.stripe_walk import STRIPE_BURSTS, StripeWalk
from models.machine.build import BURST_BEATS
from models.machine.descriptor import Opcode

__all__ = ["StreamFetcher"]


def _times(value: Value, factor: int) -> Value:
    """value x factor, as shifts and sums: a product would become a DSP."""
    return sum((value << bit for bit in range(factor.bit_length()) if factor >> bit & 1), Const(0, 1))


class StreamFetcher(wiring.Component):
    """Turn STREAM commands into full bursts, one sequence a port.

    STREAM: `beats` wide beats from `address` on, striped over the ports as by
    `models.machine.layout.stripe`: a group is 64 bursts a port, the last one the rest of them, and of a group of b
    port p reads the 256 b bytes from group + 256 b p on. The address is a multiple of 256 and beats one of 16; lower
    bits are ignored.

    Each port runs ahead of the others (`hw.memory.stripe_walk`) as far as its FIFO (`depth` beats, of which `taken`
    gives back one at a time) has room, one burst every other cycle, also from one stream to the next: a command is
    taken while the ports are still at the one before, and `retired` pulses when the last port has begun with it. Five
    cycles from a command to its first burst. `idle`, a cycle late: all bursts of all commands are handed over.
    """

    def __init__(self, ports: int, depth: int) -> None:
        if not 1 <= ports <= 4:
            raise ValueError(f"ports must be 1 to 4, got {ports}")
        if depth < BURST_BEATS:
            raise ValueError(f"depth must be at least a burst of {BURST_BEATS}, got {depth}")
        self._ports, self._depth = ports, depth
        super().__init__({
            "command": In(stream.Signature(COMMAND_BITS)),
            "retired": Out(1),
            "bursts": Out(stream.Signature(BURST)).array(ports),
            "taken": In(ports),
            "idle": Out(1, init=1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        block_bits, beat_bits = (BURST_BYTES - 1).bit_length(), (BURST_BEATS - 1).bit_length()
        stripe_bits = (STRIPE_BURSTS - 1).bit_length()
        command = data.View(command_layout(Opcode.STREAM), self.command.payload)

        first = Signal(command.address.shape().width - block_bits, reset_less=True)  # in bursts
        groups = Signal(command.beats.shape().width - beat_bits - stripe_bits, reset_less=True)
        rest = Signal(stripe_bits, reset_less=True)  # bursts a port of the last, shorter group
        last = Signal.like(first)  # where that one begins
        multiples = [Signal(range(p * STRIPE_BURSTS + 1), reset_less=True, name=f"part_{p}")
                     for p in range(self._ports)]  # p x rest
        left = Signal(self._ports)  # ports that have not begun with the command on offer
        begun = Signal(self._ports)

        walks = [StripeWalk(self._ports, self._depth) for _ in range(self._ports)]
        for port, walk in enumerate(walks):
            m.submodules[f"walk_{port}"] = walk
            wiring.connect(m, walk.burst, wiring.flipped(self.bursts[port]))
            start, tail = Signal.like(first, name=f"start_{port}"), Signal.like(first, name=f"tail_{port}")
            m.d.sync += [
                start.eq(first + Mux(groups == 0, multiples[port], port * STRIPE_BURSTS)),
                tail.eq(last + multiples[port]),
            ]
            m.d.comb += [
                walk.i.payload.start.eq(start),
                walk.i.payload.tail.eq(tail),
                walk.i.payload.groups.eq(groups),
                walk.i.payload.rest.eq(rest),
                walk.i.valid.eq(left[port]),
                begun[port].eq(walk.i.valid & walk.i.ready),
                walk.taken.eq(self.taken[port]),
            ]
        m.d.sync += left.eq(left & ~begun)

        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += self.command.ready.eq(1)
                m.d.sync += [
                    first.eq(command.address[block_bits:]),
                    Cat(rest, groups).eq(command.beats[beat_bits:]),
                ]
                with m.If(self.command.valid):
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.d.sync += [part.eq(_times(rest, port)) for port, part in enumerate(multiples)]
                m.d.sync += last.eq(first + (_times(groups, self._ports) << stripe_bits))
                m.next = "ADD"
            with m.State("ADD"):
                m.d.sync += left.eq(Const(-1, self._ports))
                m.next = "HAND OVER"
            with m.State("HAND OVER"):
                with m.If(left == 0):
                    m.d.comb += self.retired.eq(1)
                    m.next = "IDLE"
            m.d.sync += self.idle.eq(fsm.ongoing("IDLE") & Cat(*(walk.idle for walk in walks)).all())
        return m
