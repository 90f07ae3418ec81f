"""Cases one after another on a bench: what each said, and whether the tokens behind it are right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.errors import DeviceError
from scripts.verify.inject.bench import Bench
from scripts.verify.inject.beside import TokenError
from scripts.verify.inject.form import drawn_form
from scripts.verify.inject.kinds import Killed, Kind

__all__ = ["Case", "Tally", "run_case", "run_cases", "tallies"]

RESTLESS = "does not come to rest"
RATES = (0.0, 0.0, 0.1, 0.4)  # of stalls and of bursts that overtake


@dataclass(frozen=True)
class Case:
    """What came of a case. finding: what is wrong with it, None where nothing is. form: of its pass, "" for a token."""

    number: int
    kind: str
    what: str
    acted: bool
    said: str | None
    finding: str | None = None
    form: str = ""


@dataclass
class Tally:
    """Cases of a kind. named: acted, and their cause was told."""

    cases: int = 0
    acted: int = 0
    named: int = 0
    harmless: int = 0
    restless: int = 0
    findings: list[str] = field(default_factory=list)

    def add(self, case: Case) -> None:
        """One more."""
        self.cases += 1
        self.acted += case.acted
        self.named += case.acted and case.said is not None
        self.harmless += case.acted and case.said is None
        self.restless += case.said is not None and RESTLESS in case.said
        if case.finding:
            self.findings.append(f"case {case.number}, {case.what}: {case.finding}")


def run_cases(bench: Bench, kinds: Sequence[Kind], seed: int, numbers: Iterable[int]) -> Iterator[Case]:
    """Case n is of kind n modulo their number, and drawn from the seed and n: it can be run alone."""
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        yield run_case(bench, kinds[number % len(kinds)], number, rng)


def run_case(bench: Bench, kind: Kind, number: int, rng: np.random.Generator) -> Case:
    """A pass with a fault, one call that recovers, the same pass and a token more without."""
    tokens = [int(token) for token in rng.integers(bench.model.config.vocab_size, size=5)]
    (forms,) = rng.spawn(1)
    bench.form = drawn_form(forms, bench.build.slots, bench.model.config.layers)
    more = forms.integers(bench.model.config.vocab_size, size=bench.form.rows - 1)
    ids = [tokens[2], *(int(token) for token in more)]
    bench.device.configure()
    bench.begin(tokens[:1])
    latency = {"latency": int(rng.integers(2, 60))} if bench.core.memory_model == "simple" else {}
    bench.device.configure(**latency, stall_probability=float(rng.choice(RATES)),
                           reorder_probability=float(rng.choice(RATES)), seed=number)
    said, finding = None, None
    planted = kind.plant(bench, rng)
    try:
        try:
            said = bench.fails_with(ids)
        except Killed:
            said = "Killed"
        acted = planted.acted()
        finding = _judge(said, planted.line, acted)
        if finding is None and said is not None and RESTLESS in said:
            finding = _still_restless(bench)
        planted.ends()
        if said == "Killed":
            bench.restart(int(rng.integers(2)))
            bench.begin([])
        else:
            bench.session.recover()
        if said is not None:
            bench.check_pass(ids)
        bench.check(tokens[3])
        bench.compare_caches()
    except (TokenError, DeviceError) as error:
        acted, finding = planted.acted(), f"{finding or 'afterwards'}: {error}"
        planted.ends()
        bench.reset()
    what = ", ".join(filter(None, [planted.what, str(bench.form)]))
    return Case(number, kind.name, what, acted, said, finding, str(bench.form))


def _judge(said: str | None, line: str | None, acted: bool) -> str | None:
    """What is wrong with what was said."""
    if not acted:
        return None if said is None else f"nothing acted, but: {said}"
    if line is None or said is None:
        return None if said is line else f"expected {line!r}, found {said!r}"
    return None if re.search(line, said) else f"expected {line!r}, found {said!r}"


def _still_restless(bench: Bench) -> str | None:
    """As long as memory owes answers, the device is not used, and says so."""
    try:
        bench.session.recover()
    except DeviceError as error:
        return None if RESTLESS in str(error) else f"while memory owes answers: {error}"
    return "it recovered while memory owes answers"


def tallies(cases: Sequence[Case]) -> dict[str, Tally]:
    """By kind, in the order of their first case."""
    found: dict[str, Tally] = {}
    for case in cases:
        found.setdefault(case.kind, Tally()).add(case)
    return found

