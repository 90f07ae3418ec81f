# amaranth: UnusedElaboratable=no
"""Each planted fault is found by the rule that is there for it."""

from __future__ import annotations

import pytest

from tests.proofs.planted import FOUR, PLANTED, SEARCHED, Planted
from tests.proofs.prover import prove


@pytest.mark.parametrize("planted", [
    pytest.param(planted, marks=[] if planted in FOUR else [pytest.mark.slow],
                 id=f"{planted.unit.__name__} {planted.fault}") for planted in PLANTED])
def test_it_is_found(planted: Planted):
    outcome, = prove(planted.proof(), only=[planted.rule], search=SEARCHED)
    assert outcome.broken, outcome.verdict
