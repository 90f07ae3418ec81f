"""The pipelined sum of many equal terms."""

from __future__ import annotations

from amaranth.hdl import Module, Shape, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["AdderTree"]


class AdderTree(wiring.Component):
    """total = sum of `count` terms, exact, one sum a cycle, `latency` = ceil(log2 count) cycles later.

    Terms are integers of `shape`; every level of two-input adders is one bit wider than the one before
    and is registered. No backpressure: what enters leaves.
    """

    def __init__(self, shape, count: int) -> None:
        if count < 1:
            raise ValueError(f"a sum has at least one term, got {count}")
        shape = Shape.cast(shape)
        self.latency = ceil_log2(count)
        width = shape.width + self.latency
        super().__init__({
            "terms": In(data.ArrayLayout(shape, count)),
            "total": Out(signed(width) if shape.signed else unsigned(width)),
        })

    def elaborate(self, platform) -> Module:
        m = Module()
        level = list(self.terms)
        while len(level) > 1:
            sums = [left + right for left, right in zip(level[::2], level[1::2], strict=False)]
            sums += level[len(level) & ~1:]
            registers = [Signal(value.shape(), reset_less=True, name="partial") for value in sums]
            m.d.sync += [register.eq(value) for register, value in zip(registers, sums, strict=True)]
            level = registers
        m.d.comb += self.total.eq(level[0])
        return m
