"""The prover tells what holds from what does not, on units small enough to see which it must be."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.stream.queue import Queue
from models.errors import BuildError
from tests.proofs.claims import Claims, Proof
from tests.proofs.counterexample import counterexample
from tests.proofs.planted import with_line
from tests.proofs.prover import prove
from tests.proofs.stream_rules import held, ordered
from tests.proofs.surroundings import free_parts, streams_of


class Steps(wiring.Component):
    """Counts from 0 to 5 and round, where `more` is high."""

    def __init__(self) -> None:
        super().__init__({"more": In(1), "count": Out(3)})

    def elaborate(self, platform) -> Module:
        m = Module()
        last = Signal()
        m.d.comb += last.eq(self.count == 5)
        with m.If(self.more):
            m.d.sync += self.count.eq(self.count + 1)
            with m.If(last):
                m.d.sync += self.count.eq(0)
        return m


class Withdrawn(wiring.Component):
    """Passes a stream on through a queue, and withdraws what it offers."""

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(2)), "o": Out(stream.Signature(2)), "off": In(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.queue = queue = Queue(2, 2)
        wiring.connect(m, wiring.flipped(self.i), queue.i)
        m.d.comb += [self.o.payload.eq(queue.o.payload), self.o.valid.eq(queue.o.valid & ~self.off),
                     queue.o.ready.eq(self.o.ready & ~self.off)]
        return m


def steps(c: Claims) -> None:
    u = c.unit(Steps())
    c.claim("never 6", u.count != 6)
    c.claim("never 5", u.count != 5)
    c.claim("never 7 by induction", u.count != 7, induction=2, given=["never 6"])
    c.claim("rests on what is broken", u.count != 7, given=["never 5"])
    c.claim("not 5 in four cycles", u.count != 5, bound=4)
    c.claim("constant", u.count.bool() | ~u.count.bool())
    c.claim("last where it is told", c.inner("last") == (u.count == 5))
    c.reach("5", u.count == 5)
    c.reach("6", u.count == 6, bound=8)


def test_what_holds_is_told_from_what_does_not():
    found = {outcome.rule: outcome for outcome in prove(Proof("Steps", steps))}
    for rule in ("never 6", "never 7 by induction", "constant", "last where it is told"):
        assert found[rule].proved, rule
    assert found["never 5"].broken and found["never 5"].frames == 5
    assert not found["rests on what is broken"].kept
    assert found["not 5 in four cycles"].kept and found["not 5 in four cycles"].bounded
    assert found["5"].kept and not found["6"].kept


def test_assumptions_hold_to_the_end_alone():
    def make(c: Claims) -> None:
        u = c.unit(Steps(), resets=False)
        c.assume(~u.more | (u.count != 3))
        c.claim("never 4", u.count != 4)
    assert [outcome.proved for outcome in prove(Proof("Steps", make))] == [True]


@pytest.mark.parametrize(("taken", "runs"), [(6, 1), (7, 2)])
def test_what_time_ran_out_for_is_tried_again(monkeypatch, tmp_path, taken, runs):
    asked = []

    def late(folder: Path, design: str, script: str) -> subprocess.CompletedProcess:
        for second, (name, text) in ((0, ("start.status", "")), (taken, ("0.status", "snl_UNK 3 unknown")),
                                     (taken, ("0.trivial", "snl_UNK -1 unknown"))):
            (folder / name).write_text(text)
            os.utime(folder / name, (second, second))
        asked.append(folder)
        return subprocess.CompletedProcess([], 0, "")

    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path))
    monkeypatch.setattr("tests.proofs.prover.run_yosys", late)
    for _ in range(2):
        outcome, = prove(Proof("Steps", steps), only=["never 6"], seconds=7)
        assert outcome.verdict == "undecided"
    assert len(asked) == runs


def test_a_counterexample_is_replayed(tmp_path):
    proof = Proof("Steps", steps)
    shown = counterexample(proof, "never 5", 5)
    assert [cycle["more"] for cycle in shown.inputs[:5]] == [1] * 5 and len(shown.inputs) == 6
    shown.write_waves(tmp_path / "waves.vcd")
    assert "count" in (tmp_path / "waves.vcd").read_text()


@pytest.mark.parametrize("parts", [None, free_parts])
def test_a_stream_that_is_withdrawn_is_found(parts):
    def make(c: Claims) -> None:
        u = c.unit(Withdrawn(), parts=parts)
        c.assume(held(c, u.i))
        c.claim("as it is", held(c, u.o))
        c.claim("left on", held(c, u.o) | c.past(u.off) | u.off)
    broken, good = prove(Proof("Withdrawn", make))
    assert broken.broken and good.proved


def test_streams_are_found_in_their_directions():
    unit = Withdrawn()
    assert [name for name, _ in streams_of(unit, Out)] == ["o"] and [name for name, _ in streams_of(unit, In)] == ["i"]


def test_a_queue_that_turns_two_about_is_found():
    class Turning(Withdrawn):
        def elaborate(self, platform) -> Module:
            m = Module()
            kept, full = Signal(2), Signal()  # the first waits, the second goes before it
            m.d.comb += [self.i.ready.eq(~full | self.o.ready), self.o.valid.eq(full & (self.i.valid | self.off)),
                         self.o.payload.eq(self.i.payload)]
            with m.If(~full & self.i.valid):
                m.d.sync += [kept.eq(self.i.payload), full.eq(1)]
            return m

    def make(c: Claims) -> None:
        u = c.unit(Turning())
        ordered(c, u.i, u.o, 1, 2)
    found = {outcome.rule: outcome for outcome in prove(Proof("Turning", make))}
    assert found["in order and unchanged"].broken and found["what is inside comes out"].broken


def test_two_rules_of_a_name_and_lines_that_are_not_there_are_refused():
    c = Claims()
    c.claim("one", Signal())
    with pytest.raises(ValueError, match="two rules have the name 'one'"):
        c.claim("one", Signal())
    with pytest.raises(ValueError, match="there is no rule 'two'"):
        c.choose(["two"], None)
    with pytest.raises(BuildError, match="Queue has 'no such line' 0 times"):
        with_line(Queue, "no such line", "")
