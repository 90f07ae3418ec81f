# amaranth: UnusedElaboratable=no
"""The rules of every unit hold."""

from __future__ import annotations

import pytest

from tests.proofs.catalogue import PROOFS
from tests.proofs.claims import Proof
from tests.proofs.prover import prove


@pytest.mark.parametrize("proof", [
    pytest.param(proof, marks=[pytest.mark.slow] if proof.long else [], id=proof.unit) for proof in PROOFS])
def test_every_rule_holds(proof: Proof):
    assert not [f"{outcome.rule}: {outcome.verdict}" for outcome in prove(proof) if not outcome.kept]


def test_each_unit_has_a_name_of_its_own():
    assert len({proof.unit for proof in PROOFS}) == len(PROOFS)
