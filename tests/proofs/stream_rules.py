"""Rules of streams, for every unit that has some."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from amaranth.hdl import Mux, Signal, Value

from hw.stream.reset_tree import RESET_LATENCY
from tests.proofs.claims import Claims

__all__ = ["Followed", "behind_tree", "held", "ordered"]


def behind_tree(c: Claims, reset: Value) -> Value:
    """The reset that reaches a component behind a tree of registers (`hw.stream.reset_tree`)."""
    return ~c.past(~reset, RESET_LATENCY)  # high at power-up, as the registers are


def held(c: Claims, stream, *, dropped: Value | None = None) -> Value:
    """Whether a stream that waited a cycle ago is still valid, its payload the same.

    dropped: whoever gives it is being reset; with the unit, where nothing is said.
    """
    waited = c.past(stream.valid & ~stream.ready & ~(c.reset if dropped is None else dropped))
    payload = c.past(stream.payload)
    return ~waited | (stream.valid & (Value.cast(stream.payload) == payload))


class Followed(NamedTuple):
    """A transfer on its way through a queue, any one. It goes in where `begins` is high; `inside`: how many are;
    `ahead`: those before it, while it is `on_its_way`."""

    begins: Value
    inside: Signal
    ahead: Signal
    on_its_way: Value
    payload: Signal


def ordered(c: Claims, i, o, capacity: int, latency: int,
            lemmas: Callable[[Followed], list[str]] | None = None) -> None:
    """Claim that what goes in at `i` comes out at `o`, each once, in order, the same.

    At most `capacity` transfers are inside; what is comes out within `latency` cycles of being waited for. lemmas:
    makes claims that help, and names them.
    """
    m = c.m
    came, went = i.valid & i.ready & ~c.reset, o.valid & o.ready & ~c.reset
    inside = Signal(range(capacity + 3))
    follow, followed, ahead = c.free(1, "follow"), Signal(), Signal(range(capacity + 3))
    payload, gone = Signal(Value.cast(i.payload).shape()), Signal()
    waits = Signal(range(latency + 2))
    begins, arrives = came & follow & ~followed, followed & ~gone & went & (ahead == 0)
    m.d.sync += [inside.eq(inside + came - went),
                 waits.eq(Mux(o.ready & ~o.valid & (inside != 0), waits + (waits <= latency), 0))]
    with m.If(begins):
        m.d.sync += [followed.eq(1), payload.eq(i.payload), ahead.eq(inside - went)]
    with m.If(followed & ~gone & went):
        m.d.sync += [ahead.eq(ahead - 1), gone.eq(ahead == 0)]
    with m.If(c.reset):
        m.d.sync += [inside.eq(0), followed.eq(0), gone.eq(0), ahead.eq(0), waits.eq(0)]
    given = lemmas(Followed(begins, inside, ahead, followed & ~gone, payload)) if lemmas else []
    c.claim("nothing comes out that did not go in", ~went | (inside != 0), given=given)
    c.claim("no more inside than there is room for", inside <= capacity, given=given)
    c.claim("in order and unchanged", ~arrives | (Value.cast(o.payload) == payload), given=given)
    c.claim("what is inside comes out", waits <= latency, given=given)
    c.reach("the transfer followed comes out", gone)
