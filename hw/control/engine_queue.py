"""Engine queue: descriptors that wait for their engine and for their semaphores."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.command import COMMAND_BITS, HEADER_LAYOUT
from hw.stream.gathered_queue import GatheredQueue
from hw.stream.queue import Queue
from models.machine.descriptor import SEMAPHORES

__all__ = ["QUEUE_DEPTH", "EngineQueue"]

QUEUE_DEPTH = 8


class EngineQueue(wiring.Component):
    """Hand descriptors to one engine in order, each after its `wait` semaphores and the one before it.

    i: descriptors, of which `depth` wait in the queue. For the first in line: take all semaphores of its
    wait mask, hand it over at `command`, wait for the engine's `retired`, give those of its signal mask.
    From give to the next command's offer: two cycles, or where it has semaphores to take, one more than that takes.
    beats: transfers in which a descriptor comes, the lowest bits first; then at least `depth` of them wait.

    `busy` from the hand-over to `retired`. `idle` where nothing is queued or under way.
    """

    def __init__(self, *, depth: int = QUEUE_DEPTH, beats: int = 1) -> None:
        if depth < 1:
            raise ValueError(f"depth must be positive, got {depth}")
        self._depth, self._beats = depth, beats
        super().__init__({
            "i": In(stream.Signature(COMMAND_BITS // beats)),
            "command": Out(stream.Signature(COMMAND_BITS)),
            "retired": In(1),
            "take": Out(stream.Signature(SEMAPHORES)),
            "give": Out(stream.Signature(SEMAPHORES)),
            "busy": Out(1),
            "idle": Out(1),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.queue = queue = (
            Queue(COMMAND_BITS, self._depth, buffered=True) if self._beats == 1 else
            GatheredQueue(COMMAND_BITS // self._beats, self._beats, self._depth))
        connect(m, flipped(self.i), queue.i)
        header = data.View(HEADER_LAYOUT, queue.o.payload)
        signal = Signal(SEMAPHORES, reset_less=True)
        m.d.comb += [
            self.command.payload.eq(queue.o.payload),
            self.take.payload.eq(header.wait),
            self.give.payload.eq(signal),
        ]
        accepted = Signal()  # the command, a cycle ago: an engine's ready need not reach the queue at once
        m.d.sync += accepted.eq(self.command.valid & self.command.ready)
        m.d.comb += queue.o.ready.eq(accepted)
        with m.FSM() as fsm:
            with m.State("TAKE"):
                # Nothing to take needs no turn at the semaphores.
                m.d.comb += self.take.valid.eq(queue.o.valid & (header.wait != 0))
                with m.If(queue.o.valid & ((header.wait == 0) | self.take.ready)):
                    m.next = "OFFER"
            with m.State("OFFER"):
                m.d.comb += self.command.valid.eq(1)
                m.d.sync += signal.eq(header.signal)
                with m.If(self.command.ready):
                    m.next = "WORK"
            with m.State("WORK"):
                with m.If(self.retired):
                    m.next = "GIVE"
            with m.State("GIVE"):
                m.d.comb += self.give.valid.eq(signal != 0)
                with m.If((signal == 0) | self.give.ready):
                    m.next = "TAKE"
            m.d.comb += [
                self.busy.eq(fsm.ongoing("WORK")),
                self.idle.eq(fsm.ongoing("TAKE") & (queue.level == 0)),
            ]
        return m
