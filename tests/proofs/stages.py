"""Every stream stage of the accelerator, found in the core: what a stage offers stays until it is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from unittest import mock

from amaranth.hdl import Cat, Const, Fragment, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.boards.registry import BUILDS
from hw.core import Core
from tests.proofs.claims import Claims, Proof
from tests.proofs.prover import Outcome, prove
from tests.proofs.stream_rules import held
from tests.proofs.surroundings import free_parts, streams_of

__all__ = ["DROPPED", "NOT_PROVED", "find_stages", "prove_stage", "stage_proof"]

DROPPED: dict[str, Callable] = {
    "MemorySystem": lambda unit: unit.stop,
    "ControlSystem": lambda unit: unit.reset_engines,
}
"""Classes that reset parts of their own, and when: what was on offer may then be gone."""

STILL: dict[str, tuple[str, ...]] = {
    "Tap": ("settings",), "GatedProduct": ("gate_scale", "silu"), "Store": ("settings",), "NormSource": ("settings",),
    "TopK": ("k", "rows_used", "drain"), "Select": ("settings",), "HeadQuant": ("settings",),
    "NormPath": ("command", "row"),
    "ResidualAdd": ("settings",), "RowSums": ("vocab", "count", "listed"), "BestList": ("settings",),
}
"""Inputs of a class that hold still while what it offers waits, as its docstring asks."""

NOT_PROVED: dict[tuple[str, str], str] = {}
"""Streams of a class that are not held to the rule, and why."""


def find_stages() -> list[wiring.Component]:
    """One of each class that gives a stream which may have to wait, as the core of `sim-tiny` has it."""
    made: dict[type, wiring.Component] = {}
    begin = wiring.Component.__init__

    def note(self, *arguments, **options):
        begin(self, *arguments, **options)
        made.setdefault(type(self), self)

    with mock.patch.object(wiring.Component, "__init__", note):
        Fragment.get(Core(BUILDS["sim-tiny"]), None)
    return [unit for kind, unit in made.items() if kind.__module__.startswith("hw.") and any(_waiting(unit))]


def _waiting(unit: wiring.Component) -> Iterator[tuple[str, object]]:
    """The streams that a unit gives and that may have to wait."""
    return ((path, given) for path, given in streams_of(unit, Out) if not isinstance(given.ready, Const))


def stage_proof(unit: wiring.Component, *, whole: bool = False, induction: int | None = 3) -> Proof:
    """The claims of a stage, the parts of it with proofs of their own left out unless it is taken `whole`.

    induction: its steps; None for a search for an invariant.
    """
    name = type(unit).__name__

    def make(c: Claims) -> None:
        c.unit(unit, parts=None if whole else free_parts)
        dropped = c.reset | DROPPED.get(name, lambda unit: 0)(unit)
        for _, taken in streams_of(unit, In):
            c.assume(held(c, taken, dropped=dropped))
        waits = Signal()
        c.m.d.comb += waits.eq(Cat(given.valid & ~given.ready for _, given in _waiting(unit)).any())
        for path, member, value in unit.signature.flatten(unit):
            if path[0] in STILL.get(name, ()) and member.flow == In:
                c.assume((Value.cast(value) == c.past(value)) | ~c.past(waits & ~dropped))
        for path, given in _waiting(unit):
            if (name, path.partition("[")[0]) not in NOT_PROVED:
                c.claim(f"{path} holds until it is taken", held(c, given, dropped=dropped), induction=induction)
    return Proof(name, make)


def prove_stage(unit: wiring.Component, *, seconds: int = 300) -> list[Outcome]:
    """By induction, and what that leaves open by a search for an invariant."""
    outcomes = prove(stage_proof(unit), seconds=seconds)
    open_ = [outcome.rule for outcome in outcomes if not outcome.kept]
    again = prove(stage_proof(unit, induction=None), seconds=seconds, only=open_) if open_ else []
    return [outcome for outcome in outcomes if outcome.kept] + again
