"""Every stream stage of the accelerator, found in the core: what a stage offers stays until it is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from unittest import mock

from amaranth.hdl import Const, Fragment, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.boards.registry import BUILDS
from hw.core import Core
from tests.proofs.claims import Claims, Proof
from tests.proofs.prover import Outcome, prove
from tests.proofs.stream_rules import behind_tree, held
from tests.proofs.surroundings import free_parts, streams_of

__all__ = ["CLIENTS", "DROPPED", "NOT_PROVED", "STAGES", "STILL", "find_stages", "prove_stage", "stage_proof"]

DROPPED: dict[str, Callable] = {
    "MemorySystem": lambda unit: unit.stop,
    "ControlSystem": lambda unit: unit.reset_engines,
}
"""Classes whose parts are reset through trees of registers, and when beside the class's own reset: what was on offer is
gone when that has reached them (`behind_tree`), and not before. So it is of those on the other side of their streams.
"""

CLIENTS: dict[str, str] = {"DeepQueue": "o", "Reader": "bursts", "RegisterSlice": "o", "StripeWalk": "burst"}
"""Streams by which bursts reach a master; a `BurstFormer` offers what its `DeepQueue` does. A stop reaches masters at
once, clients through trees of registers, later and for as long: behind a reset these offer nothing, so that none
withdraws a burst when the stop is over.
"""

QUICK = """
AccumulatorReader BeatPacker BestList BurstFormer ClosedLoop DeepQueue LoadPieces LogitScale PortFifos QueryLoad
Queue Reader RegisterSlice ReservedQueue ResidualAdd RowGather RowSums Sigmoid Store StreamFetcher StreamRouter
StripeWalk TopK WideReader
"""
LONG = """
AttentionEngine ControlSystem EngineQueue Exp2Negative GatedProduct HeadEngine HeadPath HeadQuant Intake
JobWalk LinearEngine Loader MemorySystem NormPath NormQuant NormSource Normaliser OutputMemory ReadRequests
Reciprocals RowControl ScalarUnit ScaleRound ScoreScale Select Sequencer Softmax Tap
VectorEngine
"""
STAGES: dict[str, bool] = {name: names is LONG for names in (QUICK, LONG) for name in names.split()}
"""All classes of the core that give a stream which may have to wait, and whether their proof takes long."""

STILL: dict[str, tuple[str, ...]] = {"Tap": ("settings",), "Store": ("settings",), "NormSource": ("settings",),
                                    "HeadQuant": ("scale", "cached", "words")}
"""Inputs of a class that its docstring asks to hold still: they keep one value, any, between resets."""

LEMMAS: dict[str, Callable[[Claims, wiring.Component], list[str]]] = {
    "EngineQueue": lambda c, unit: c.lemma(
        "a command is offered while the queue holds it", ~unit.command.valid | c.inner("queue").o.valid),
    "Sequencer": lambda c, unit: c.lemma(
        "nothing is offered while a descriptor is fetched",
        ~c.inner("offered").any() | ~(unit.beats.ready | unit.fetched | c.past(unit.fetched))),
}
"""Claims that help to prove a class's rules."""

NOT_PROVED: dict[tuple[str, str], str] = {
    ("AccumulatorReader", "asks"): "words come as they were asked for, which free inputs do not",
    ("AccumulatorReader", "o"): "as before",
    ("BestList", "o"): "its memory keeps the word, which reads as anything here",
    ("NormQuant", "scalar.operands"): "`NormGain` answers behind its latency, which a part left free does not",
    ("Queue", "o"): "proved for payloads of one bit (tests/proofs/queues.py); the core's are wide",
    ("RowGather", "read"): "an id comes behind its reading, which a free input does not",
    ("RowSums", "o"): "a row's tag is there before its sums: two of its parts together see to that",
    **dict.fromkeys((("Normaliser", "o"), ("Reciprocals", "o_exponent"), ("ScoreScale", "o"), ("Softmax", "o")),
                    "always taken, as its docstring says"),
    ("Softmax", "o_totals"): "a job's scores are complete once, which a free input is not",
    ("TopK", "o"): "`clear` and `drain` come in turns, which free inputs do not",
    **{("VectorEngine", stream): "which of its parts gives it does not change while one works: all parts together"
       for stream in ("read_a", "read_attention", "o_linear", "o_head", "o_query", "o_query_scale")},
}
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


def stage_proof(unit: wiring.Component, *, induction: int | None = 3) -> Proof:
    """The claims of a stage, the parts of it with proofs of their own left out.

    induction: its steps; None for a search for an invariant.
    """
    name = type(unit).__name__

    def make(c: Claims) -> None:
        c.unit(unit, parts=free_parts)
        dropped = behind_tree(c, c.reset | DROPPED[name](unit)) if name in DROPPED else c.reset
        for _, taken in streams_of(unit, In):
            c.assume(held(c, taken, dropped=dropped))
        for path, member, value in unit.signature.flatten(unit):
            if path[0] in STILL.get(name, ()) and member.flow == In:
                c.assume((Value.cast(value) == c.past(value)) | c.past(c.reset) | ~c.later())
        given = LEMMAS[name](c, unit) if name in LEMMAS else []
        for path, offered in _waiting(unit):
            if (name, path.partition("[")[0]) not in NOT_PROVED:
                c.claim(f"{path} holds until it is taken", held(c, offered, dropped=dropped),
                        induction=induction, given=given)
        if name in CLIENTS:
            c.claim("nothing is offered in the cycle behind a reset",
                    ~getattr(unit, CLIENTS[name]).valid | (~c.past(c.reset) & c.later()), induction=induction)
    return Proof(name, make)


def prove_stage(unit: wiring.Component, *, seconds: int = 300) -> list[Outcome]:
    """By induction, and what that leaves open by a search for an invariant."""
    outcomes = prove(stage_proof(unit), seconds=seconds)
    left = [outcome.rule for outcome in outcomes if not outcome.kept]
    again = prove(stage_proof(unit, induction=None), seconds=seconds, only=left) if left else []
    return [outcome for outcome in outcomes if outcome.kept] + again
