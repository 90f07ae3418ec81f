"""A unit under proof: what its surroundings may do, what is claimed of it, and what must be possible."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from types import FrameType
from typing import NamedTuple

from amaranth.hdl import ClockDomain, Const, Elaboratable, Module, Mux, ResetInserter, Shape, ShapeLike, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

__all__ = ["Claims", "Proof", "Rule", "elaborated"]


class Rule(NamedTuple):
    """`net` is high where a claim is broken, or where what must be possible happens (`reached`).

    bound: cycles from reset within which it is searched; None for a proof without bound. induction: steps of one, where
    that closes and the search for an invariant does not; it may use the claims `given`.
    """

    name: str
    net: Signal
    reached: bool = False
    bound: int | None = None
    induction: int | None = None
    given: tuple[str, ...] = ()


class Proof(NamedTuple):
    """A unit, and how its claims are made. long: minutes rather than seconds."""

    unit: str
    make: Callable[[Claims], None]
    long: bool = False


class Claims(Elaboratable):
    """A module that is never reset itself, with the unit in it, free inputs and rules.

    A rule is to hold in each cycle up to which all assumptions held. `reset`: of the unit, free unless the claims say
    otherwise; a monitor that forgets at a reset says so.
    """

    def __init__(self) -> None:
        self.m = Module()
        self.m.submodules.registers = self._registers = Module()  # of its own, wherever in a condition one is asked for
        self.m.domains.sync = self._domain = ClockDomain("sync", reset_less=True)
        self.rules: list[Rule] = []
        self.inputs: list[Signal] = []
        self.reset = Signal(name="reset")
        self._assumed: list[Value] = []
        self._nets: list[tuple[Signal, Value]] = []
        self._claimed: dict[str, Value] = {}

    @property
    def ports(self) -> list[Signal]:
        """Of the module, the rules in order after the clock and the inputs."""
        return [self._domain.clk, *self.inputs, *(rule.net for rule in self.rules)]

    def unit(self, component: wiring.Component, *, resets: bool = True,
             parts: Callable[[Claims, Module], None] | None = None) -> wiring.Component:
        """Put the unit in, its inputs free. resets: at any time; else never. parts: puts others in place of its own."""
        module, self._inside = elaborated(component)
        if parts is not None:
            parts(self, module)
        self.m.submodules.unit = ResetInserter(self.reset)(module)
        if resets:
            self.inputs.append(self.reset)
        for path, member, value in component.signature.flatten(component):
            if member.flow == In and not isinstance(value, Const):  # as `ready` is of a stream that always is
                self.m.d.comb += Value.cast(value).eq(self.free(Value.cast(value).shape(), "__".join(map(str, path))))
        return component

    def inner(self, name: str) -> Signal:
        """A signal by its name in the unit's `elaborate`, for claims that help others to be proved."""
        return self._inside[name]

    def free(self, shape: ShapeLike, name: str) -> Signal:
        """A signal that may be anything in each cycle."""
        signal = Signal(Shape.cast(shape), name=name)
        self.inputs.append(signal)
        return signal

    def constant(self, shape: ShapeLike, name: str) -> Value:
        """A signal that may be anything, and stays so."""
        given, kept, later = self.free(shape, name), Signal(shape, name=f"{name}_kept"), self.later()
        self._registers.d.sync += kept.eq(Mux(later, kept, given))
        return Mux(later, kept, given)

    def later(self) -> Signal:
        """High but in the first cycle."""
        later = Signal(name="later")
        self._registers.d.sync += later.eq(1)
        return later

    def past(self, value: Value, cycles: int = 1) -> Signal:
        """The value so many cycles ago; 0 in the cycles before there was one."""
        for _ in range(cycles):
            past = Signal(Value.cast(value).shape(), name="past")
            self._registers.d.sync += past.eq(value)
            value = past
        return value

    def assume(self, condition: Value) -> None:
        """What the surroundings keep to in each cycle."""
        self._assumed.append(Value.cast(condition).bool())

    def claim(self, name: str, condition: Value, *, bound: int | None = None, induction: int | None = None,
              given: Sequence[str] = ()) -> None:
        """What is to hold in each cycle: proved without bound, or as a `Rule` says. given: names of earlier claims."""
        condition = Value.cast(condition).bool()
        broken = ~condition
        if given:
            before = Signal(init=1, name="given")
            now = sum((~self._claimed[lemma] for lemma in given), 0) == 0
            self._registers.d.sync += before.eq(before & now)
            broken = broken & before & now
        self._claimed[name] = condition
        self._rule(Rule(name, self._net(broken), False, bound, induction, tuple(given)))

    def lemma(self, name: str, condition: Value) -> list[str]:
        """A claim that is there to help others: their `given`."""
        self.claim(name, condition)
        return [name]

    def reach(self, name: str, condition: Value, *, bound: int = 40) -> None:
        """What must be possible within `bound` cycles, so that a claim is not kept because nothing ever happens."""
        self._rule(Rule(name, self._net(Value.cast(condition).bool()), True, bound))

    def choose(self, names: Collection[str], bound: int | None) -> None:
        """Keep these rules alone, all where none is named. bound: so many cycles are searched, in place of a proof."""
        if missing := set(names) - {rule.name for rule in self.rules}:
            raise ValueError(f"there is no rule {min(missing)!r}")
        self.rules = [rule if bound is None else rule._replace(bound=bound) for rule in self.rules
                      if not names or rule.name in names]
        self._nets = [(net, value) for net, value in self._nets if any(net is rule.net for rule in self.rules)]

    def _net(self, value: Value) -> Signal:
        net = Signal(name=f"rule_{len(self._nets)}")
        self._nets.append((net, value))
        return net

    def _rule(self, rule: Rule) -> None:
        if any(other.name == rule.name for other in self.rules):
            raise ValueError(f"two rules have the name {rule.name!r}")
        self.rules.append(rule)

    def elaborate(self, platform) -> Module:
        held, holds = Signal(init=1), Signal()
        self.m.d.comb += holds.eq(held)
        if self._assumed:
            now = Signal()
            self.m.d.comb += [now.eq(sum((~a for a in self._assumed), 0) == 0), holds.eq(held & now)]
            self.m.d.sync += held.eq(holds)
        self.m.d.comb += [net.eq(holds & value) for net, value in self._nets]
        return self.m


def elaborated(component: wiring.Component) -> tuple[Module, dict[str, object]]:
    """The unit's module, and what its `elaborate` called by name."""
    names: dict[str, object] = {}

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code.co_name == "elaborate" and frame.f_locals.get("self") is component:
            names.update(frame.f_locals)

    sys.setprofile(watch)
    try:
        return component.elaborate(None), names
    finally:
        sys.setprofile(None)
