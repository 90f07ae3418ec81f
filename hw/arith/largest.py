"""The pipelined maximum of a word's lanes."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value

__all__ = ["largest_lane"]


def largest_lane(m: Module, lanes: list[Signal], valid: Value, last: Value) -> tuple[Signal, Signal, Signal]:
    """The largest of `lanes`, unsigned registers of one width, a power of two of them; beside it valid and last.

    valid and last belong to what the lanes take in this cycle. The results come 1 + log2(lanes) cycles later, a word a
    cycle. No backpressure.
    """
    while True:
        after = [Signal(name="measured"), Signal(name="measured_last")]
        m.d.sync += [after[0].eq(valid), after[1].eq(last)]
        valid, last = after
        if len(lanes) == 1:
            return lanes[0], valid, last
        larger = [Signal(len(lanes[0]), reset_less=True, name="larger") for _ in lanes[::2]]
        m.d.sync += [c.eq(Mux(a > b, a, b)) for a, b, c in zip(lanes[::2], lanes[1::2], larger, strict=True)]
        lanes = larger
