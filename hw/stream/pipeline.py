"""A pipeline with one enable: all registers advance together, so no stage needs a buffer of its own."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value

from hw.boards.technology import Technology

__all__ = ["Pipeline"]


class Pipeline:
    """Builds the registers between an input stream and an output stream, inside one `elaborate`.

    Every `step` is one register level; values that travel along are given to each step. The pipeline
    moves while its output is empty or being taken (`advance`), one transfer a cycle; it stops as a
    whole, without closing bubbles. Latency in cycles is the number of steps. `technology` is for steps that take its
    blocks (`hw.arith.product`), None for none in particular.

        p = Pipeline(m, self.i, self.o)
        total, user = p.step(self.i.p.a + self.i.p.b, self.i.p.user)
        p.finish(y=total, user=user)
    """

    def __init__(self, m: Module, i, o, technology: Technology | None = None) -> None:
        self.module, self.technology = m, technology
        self._o = o
        self._valid = i.valid
        self.advance = Signal()
        m.d.comb += [self.advance.eq(~o.valid | o.ready), i.ready.eq(self.advance)]

    def step(self, *values) -> tuple[Signal, ...]:
        """Register the values; returns the registers, with the values' shapes."""
        sources = [Value.cast(value) for value in values]
        registers = tuple(Signal(source.shape(), reset_less=True) for source in sources)
        valid = Signal()
        with self.module.If(self.advance):
            self.module.d.sync += valid.eq(self._valid)
            for register, source in zip(registers, sources, strict=True):
                self.module.d.sync += register.eq(source)
        self._valid = valid
        return registers

    def finish(self, **fields) -> None:
        """Connect the last registers to the output's payload, by field."""
        self.module.d.comb += self._o.valid.eq(self._valid)
        self.module.d.comb += [getattr(self._o.p, name).eq(value) for name, value in fields.items()]
