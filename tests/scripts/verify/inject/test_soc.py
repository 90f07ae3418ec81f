"""Each kind of fault once on a whole simulated board; and the campaign finds what it is for."""

from __future__ import annotations

import pytest

from host.link import frames
from host.link.session import LinkSession
from scripts.verify.inject.campaign import tallies
from scripts.verify.inject.soc import SocBench, run_soc_cases, soc_kind_names
from tests.sim.soc.boards import BUILD

pytestmark = pytest.mark.slow
SEED = 5


@pytest.fixture(scope="module")
def bench():
    return SocBench(BUILD, SEED)


def test_each_kind_is_healed_or_named_and_no_token_is_wrong(bench):
    cases = list(run_soc_cases(bench, SEED, range(len(soc_kind_names()))))
    assert [f"{case.number} {case.what}: {case.finding}" for case in cases if case.finding] == []
    found = tallies(cases)
    assert sum(tally.named for tally in found.values()) >= 6 and sum(tally.harmless for tally in found.values()) >= 6


@pytest.mark.parametrize("kind, broken, name, wrong", [
    ("flipped on the line, to the host", frames, "_body_of", lambda escaped: frames._ESCAPED.sub(
        lambda found: bytes((found[1][0] ^ 0x20,)), escaped)[:-4]),
    ("reset of the whole chip", LinkSession, "_end", lambda self, session: None),
])
def test_what_the_driver_fails_to_do_is_found(bench, monkeypatch, kind, broken, name, wrong):
    kinds = soc_kind_names()
    numbers = [number for number in range(6 * len(kinds)) if kind in kinds[number % len(kinds)]]
    monkeypatch.setattr(broken, name, wrong)
    assert any(case.finding for case in run_soc_cases(bench, SEED, numbers))
