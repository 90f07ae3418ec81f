"""Stripe walk: whole bursts, in order, as many as the parts say, and never more than its buffer has room for."""

from __future__ import annotations

from amaranth.hdl import Mux, Signal

from hw.memory.shapes import BURST_BYTES
from hw.memory.stripe_walk import STRIPE_BURSTS, StripeWalk
from models.machine.build import BURST_BEATS
from tests.proofs.claims import Claims, Proof
from tests.proofs.stream_rules import held

__all__ = ["PROOFS", "stripe_walk"]

_DEPTH = 64  # beats
_GROUPS = 8  # of a part at most: more states, no other kind of step


def stripe_walk(kind: type[StripeWalk] = StripeWalk):
    """The claims of a port's walk. kind: with a fault planted."""
    def make(c: Claims) -> None:
        m, u = c.m, c.unit(kind(4, _DEPTH))
        part, burst = u.i.payload, u.burst
        c.assume(held(c, u.i))
        c.assume(part.groups < _GROUPS)
        # beats asked for, not yet given back: no more is given back than was asked for
        asked = Signal(range(2 * _DEPTH))
        offers = burst.valid & ~c.past(burst.valid & ~burst.ready)
        m.d.sync += asked.eq(Mux(c.reset, 0, asked + Mux(offers, BURST_BEATS, 0) - u.taken))
        c.assume(~u.taken | (asked != 0))
        c.claim("burst holds until it is taken", held(c, burst))
        c.claim("whole bursts of whole blocks", ~burst.valid | (
            (burst.payload.length == BURST_BEATS - 1) & (burst.payload.address[:(BURST_BYTES - 1).bit_length()] == 0)))
        c.claim("never more than there is room for", asked + Mux(offers, BURST_BEATS, 0) <= _DEPTH)
        # bursts that the parts taken still ask for
        due = Signal(range((_GROUPS + 1) * STRIPE_BURSTS))
        takes = u.i.valid & u.i.ready
        m.d.sync += due.eq(Mux(c.reset, 0, due - offers + Mux(takes, part.groups * STRIPE_BURSTS + part.rest, 0)))
        working, more, behind = map(c.inner, ("working", "more", "behind"))
        left, groups, rest = map(c.inner, ("left", "groups", "rest"))
        counted = ["the unit counts what is due"]
        c.claim(counted[0], (due == offers + Mux(working, left, 0) + Mux(more, groups * STRIPE_BURSTS, 0)
                             + Mux(behind, rest, 0)) & (~more | ((groups != 0) & (groups < _GROUPS))) & (
                                 ~working | ((left != 0) & (left <= STRIPE_BURSTS))) & (~behind | (rest != 0)),
                induction=3)
        c.claim("no burst that no part asks for", ~offers | (due != 0), given=counted)
        c.claim("a part is taken once the one before is asked for", ~takes | (due == offers), given=counted)
        c.reach("a part of a group and a rest is taken", takes & (part.groups != 0) & (part.rest != 0))
        c.reach("the room is used up", asked + Mux(offers, BURST_BEATS, 0) == _DEPTH)
    return make


PROOFS = (Proof("StripeWalk of 4 ports", stripe_walk()),)
