"""Queues pass on what comes in, each transfer once, in order; the arbiter grants one, and every one in its turn."""

from __future__ import annotations

from amaranth.hdl import Mux, Signal

from hw.stream.deep_queue import DeepQueue
from hw.stream.queue import Queue
from hw.stream.round_robin import RoundRobin
from tests.proofs.claims import Claims, Proof
from tests.proofs.stream_rules import held, ordered

__all__ = ["PROOFS", "deep_queue", "queue", "round_robin"]

_WIDTH = 2  # of payloads: all bits take the same way


def queue(depth: int, buffered: bool, kind: type[Queue] = Queue):
    """The claims of a queue. kind: with a fault planted."""
    def make(c: Claims) -> None:
        u = c.unit(kind(_WIDTH, depth, buffered=buffered))
        c.assume(held(c, u.i))
        c.claim("o holds until it is taken", held(c, u.o))
        ordered(c, u.i, u.o, depth, 2)
    return make


def deep_queue(depth: int, kind: type[DeepQueue] = DeepQueue):
    """The claims of a deep queue; that of the order bounded, far enough for its pointers to come round. kind: with a
    fault planted."""
    def make(c: Claims) -> None:
        u = c.unit(kind(_WIDTH, depth))
        level, head, tail = c.inner("level"), c.inner("head"), c.inner("tail")

        def counted(inside: Signal) -> list[str]:
            behind = (inside - level)[:len(inside)]  # in the registers behind the memory
            c.claim("what is inside is in the memory or behind it", (inside == level + behind) & (behind <= 2)
                    & (u.o.valid <= behind) & (behind <= 1 + u.o.valid) & (tail == (head + level)[:len(tail)]))
            return ["what is inside is in the memory or behind it"]

        c.assume(held(c, u.i))
        c.claim("o holds until it is taken", held(c, u.o))
        ordered(c, u.i, u.o, depth + 2, 3, counted, bound=depth + 8)
    return make


def round_robin(kind: type[RoundRobin] = RoundRobin, count: int = 4):
    """The claims of the arbiter of so many. kind: with a fault planted."""
    def make(c: Claims) -> None:
        m, u = c.m, c.unit(kind(count))
        c.claim("one of the requests is granted, where there are any",
                ((u.grant & (u.grant - 1)) == 0) & ((u.grant & ~u.requests) == 0) & (u.grant.any() == u.requests.any()))
        which = c.constant(range(count), "which")
        others = Signal(range(count + 2))
        waits = u.requests.bit_select(which, 1) & ~u.grant.bit_select(which, 1)
        m.d.sync += others.eq(Mux(waits & ~c.reset, others + (u.advance & (others <= count)), 0))
        c.claim("a request waits for the grants of the others at most", others < count)
        c.reach("each of the others has been granted", others == count - 1)
    return make


PROOFS = (
    Proof("Queue of 3", queue(3, False)),
    Proof("Queue of 4, buffered", queue(4, True)),
    Proof("Queue of 8, buffered", queue(8, True), long=True),
    Proof("DeepQueue of 16", deep_queue(16)),
    Proof("RoundRobin of 4", round_robin()),
)
