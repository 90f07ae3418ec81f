"""Each kind of harm to a line once, both ways; and the campaign finds what it is for."""

from __future__ import annotations

import json

import pytest

from host.link import frames
from host.link.session import LinkSession
from hw.boards.registry import BUILDS
from scripts.verify.inject import __main__ as command
from scripts.verify.inject.campaign import tallies
from scripts.verify.inject.link import LinkBench, link_kind_names, run_link_cases
from scripts.verify.inject.report import link_table

SEED = 3


@pytest.fixture(scope="module")
def bench():
    return LinkBench(BUILDS["sim-tiny"], SEED)


def findings(cases):
    return [f"{case.number} {case.what}: {case.finding}" for case in cases if case.finding]


def numbers_of(name):
    return [number for number, kind in enumerate(link_kind_names()) if name in kind]


def test_each_kind_is_healed_or_named_and_no_token_is_wrong(bench):
    cases = list(run_link_cases(bench, SEED, range(len(link_kind_names()))))
    assert findings(cases) == [] and sum(case.acted for case in cases) >= 24
    found = tallies(cases)
    assert sum(tally.named for tally in found.values()) >= 7 and sum(tally.harmless for tally in found.values()) >= 15
    assert link_table(cases).splitlines()[-1].startswith("| all | 28 |")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12])
def test_many_of_each_kind(bench, seed):
    assert findings(run_link_cases(bench, seed, range(280))) == []


def test_a_case_is_the_same_when_it_runs_again(bench):
    numbers = numbers_of("a bit flipped")
    alone = [list(run_link_cases(bench, SEED, [number])) for number in reversed(numbers)]
    assert [case for cases in reversed(alone) for case in cases] == list(run_link_cases(bench, SEED, numbers))


@pytest.mark.parametrize("kind, broken, name, wrong", [
    ("board reset", LinkSession, "_end", lambda self, session: None),
    ("the rest of a frame lost", LinkSession, "_go_back", lambda self: None),
    ("bytes overwritten", frames, "_body_of", lambda escaped: frames._ESCAPED.sub(
        lambda found: bytes((found[1][0] ^ 0x20,)), escaped)[:-4]),
])
def test_what_the_driver_fails_to_do_is_found(bench, monkeypatch, kind, broken, name, wrong):
    numbers = [number + 28 * round_ for number in numbers_of(kind) for round_ in range(3)]
    assert findings(run_link_cases(bench, SEED, numbers)) == []
    monkeypatch.setattr(broken, name, wrong)
    assert findings(run_link_cases(bench, SEED, numbers))
    monkeypatch.undo()
    bench.reset()


def test_the_command_runs_the_kinds_that_are_asked_for(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["link", "--kind", "doubled", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0 and found["cases"] == 6 and found["findings"] == []
