"""Semaphores: all or nothing, never below 0 nor above 15, and no token lost."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal

from hw.control.semaphores import COUNT_BITS, Semaphores
from models.machine.descriptor import SEMAPHORES
from tests.proofs.claims import Claims, Proof
from tests.proofs.stream_rules import held

__all__ = ["PROOFS", "semaphores"]

_MOST = (1 << COUNT_BITS) - 1


def semaphores(engines: int, kind: type[Semaphores] = Semaphores):
    """The claims for so many engines. kind: with a fault planted."""
    def make(c: Claims) -> None:
        m, u = c.m, c.unit(kind(engines))
        for stream in (*u.take, *u.give):
            c.assume(held(c, stream))
        moves = {name: [s.valid & s.ready & ~c.reset for s in streams]
                 for name, streams in (("take", u.take), ("give", u.give))}
        for name, accepted in moves.items():
            each = Cat(accepted)
            c.claim(f"one {name} at a time", (each & (each - 1)) == 0)
            streams = u.take if name == "take" else u.give
            c.claim(f"a {name} is accepted that was asked for alone", Cat(s.ready & ~s.valid for s in streams) == 0)
        def total(name: str, streams):
            mask = Signal(SEMAPHORES, name=f"{name}_mask")
            m.d.comb += mask.eq(Cat(
                sum((accepted & s.payload[n] for accepted, s in zip(moves[name], streams, strict=True)), 0) != 0
                for n in range(SEMAPHORES)))
            return mask
        taken, given = total("take", u.take), total("give", u.give)
        # whoever counts by the transfers alone finds what the unit finds
        counts = [Signal(COUNT_BITS, name=f"model_{n}") for n in range(SEMAPHORES)]
        for n, count in enumerate(counts):
            m.d.sync += count.eq(Mux(c.reset, 0, count + given[n] - taken[n]))
        counted = ["the unit counts what is transferred"]
        c.claim(counted[0], Cat(counts) == Cat(c.inner("counts")))
        c.claim("all or nothing: a take finds all its tokens", Cat(
            taken[n] & (count == 0) for n, count in enumerate(counts)) == 0, given=counted)
        c.claim("no token lost: a give finds room for all", Cat(
            given[n] & (count == _MOST) for n, count in enumerate(counts)) == 0, given=counted)
        c.reach("a semaphore is full", counts[0] == _MOST, bound=80)
        c.reach("a take waits for its tokens", c.past(u.take[0].valid & ~u.take[0].ready, 8) & u.take[0].ready)
    return make


PROOFS = (Proof("Semaphores, 2 engines", semaphores(2)), Proof("Semaphores, 6 engines", semaphores(6), long=True))
