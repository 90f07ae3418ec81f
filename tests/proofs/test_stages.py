# amaranth: UnusedElaboratable=no
"""Whatever a stage of the core offers stays until it is taken; a new stage must say how that is proved."""

from __future__ import annotations

import pytest
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from tests.proofs.stages import CLIENTS, DROPPED, NOT_PROVED, STAGES, STILL, find_stages, prove_stage
from tests.proofs.surroundings import streams_of


@pytest.fixture(scope="module")
def stages() -> dict[str, wiring.Component]:
    return {type(unit).__name__: unit for unit in find_stages()}


def test_each_stage_of_the_core_is_listed(stages):
    assert sorted(stages) == sorted(STAGES)


def test_tables_name_what_there_is(stages):
    given = {(name, path.partition("[")[0]) for name, unit in stages.items() for path, _ in streams_of(unit, Out)}
    assert NOT_PROVED.keys() <= given
    assert DROPPED.keys() | STILL.keys() | CLIENTS.keys() <= stages.keys()
    for name, inputs in STILL.items():
        assert set(inputs) <= set(stages[name].signature.members), name


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if slow else []) for name, slow in STAGES.items()])
def test_what_it_offers_stays_until_it_is_taken(stages, name):
    assert not [f"{outcome.rule}: {outcome.verdict}" for outcome in prove_stage(stages[name]) if not outcome.kept]
