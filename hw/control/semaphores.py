"""Semaphores: the counters by which the engines' queues wait for each other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

from hw.stream.round_robin import RoundRobin
from models.machine.descriptor import SEMAPHORES

__all__ = ["COUNT_BITS", "Semaphores"]

COUNT_BITS = 4


class Semaphores(wiring.Component):
    """16 counters of 4 bits, shared by `engines` queues; all 0 after reset.

    take, give: masks of semaphores, one stream of each an engine. A take is accepted in a cycle in which
    all its semaphores are above 0, and lowers each by 1: all or nothing. A give is accepted when all its
    semaphores are below 15, and raises each by 1: tokens are never lost. One take and one give in three cycles, engines
    in turn, two cycles after the request at the earliest; what is given is taken three cycles later at the earliest.

    Three steps, a register behind each: which requests the counters allow; one of them, granted; the transfer. Until
    the counters show that transfer no other of its kind is granted. One of the other kind may be: it only
    allows more.
    """

    def __init__(self, engines: int) -> None:
        if engines < 1:
            raise ValueError(f"engines must be positive, got {engines}")
        self._engines = engines
        super().__init__({
            "take": In(stream.Signature(SEMAPHORES)).array(engines),
            "give": In(stream.Signature(SEMAPHORES)).array(engines),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        counts = [Signal(COUNT_BITS, name=f"count_{i}") for i in range(SEMAPHORES)]
        nonzero = Cat(count.any() for count in counts)
        full = Cat(count.all() for count in counts)

        def accept(kind: str, streams, blocked: Value) -> Value:
            """Accept one of the streams none of whose semaphores is blocked; its mask, or 0."""
            m.submodules[kind] = arbiter = RoundRobin(self._engines)
            allowed = Signal(self._engines, name=f"{kind}_allowed")
            granted = Signal(self._engines, name=f"{kind}_granted")
            recent = Signal(2, name=f"{kind}_recent")  # granted in the last two cycles: `allowed` is older
            m.d.comb += arbiter.advance.eq(recent == 0)
            m.d.sync += granted.eq(0)
            with m.If(recent == 0):
                m.d.sync += granted.eq(arbiter.grant)
            m.d.sync += recent.eq(Cat((recent == 0) & allowed.any(), recent))
            mask = 0
            for engine, request in enumerate(streams):
                m.d.sync += allowed[engine].eq(request.valid & ~(request.payload & blocked).any())
                m.d.comb += [arbiter.requests[engine].eq(allowed[engine]), request.ready.eq(granted[engine])]
                mask = mask | (granted[engine].replicate(SEMAPHORES) & request.payload)
            accepted = Signal(SEMAPHORES, name=f"{kind}_mask")
            m.d.comb += accepted.eq(mask)
            return accepted

        taken = accept("taker", self.take, ~nonzero)
        given = accept("giver", self.give, full)
        for i, count in enumerate(counts):
            m.d.sync += count.eq(count + given[i] - taken[i])
        return m
