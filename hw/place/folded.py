"""A unit with all its pins folded into two shift registers, so that one wider than any package can be placed alone."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FOLDED", "Folded"]

FOLDED = "unit"
"""The unit's name in the hierarchy: its paths end in `unit.`, those of the harness do not."""


class Folded(wiring.Component):
    """Each input of a component is a bit of a shift register that `i` fills; each output has a register, which `load`
    copies to another shift register, whose end is `o`.

    Between the component and any of these registers there is no logic: its paths are what they are with registers next
    to it. Reset is the component's, from a pin.
    """

    def __init__(self, component: wiring.Component) -> None:
        self._component = component
        super().__init__({"i": In(1), "load": In(1), "o": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules[FOLDED] = unit = self._component
        pins: dict[wiring.Flow, list[Value]] = {In: [], Out: []}
        for _, member, value in unit.signature.flatten(unit):
            pins[member.flow].append(Value.cast(value))
        inputs, outputs = Cat(*pins[In]), Cat(*pins[Out])
        shifted = Signal(len(inputs), reset_less=True)
        seen = Signal(len(outputs), reset_less=True)
        leaving = Signal(len(outputs), reset_less=True)
        m.d.comb += [inputs.eq(shifted), self.o.eq(leaving[:1])]
        m.d.sync += [
            shifted.eq(Cat(self.i, shifted)),
            seen.eq(outputs),
            leaving.eq(Mux(self.load, seen, leaving >> 1)),
        ]
        return m
