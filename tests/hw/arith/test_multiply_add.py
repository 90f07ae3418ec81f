# amaranth: UnusedElaboratable=no
"""Sums of products in DSP blocks are exact; operands that a block cannot take are refused."""

from __future__ import annotations

import pytest
from amaranth.hdl import Module, Signal, signed

from hw.arith.dsp48 import dsp48
from sim.benches.arith.multiply_add import BENCH, SumsOfProducts
from sim.runner import run_bench


@pytest.mark.parametrize("pairs,added", [(3, 1), (3, 2)])
def test_sums_are_exact(pairs, added):
    unit = dict(pairs=pairs, added=added)
    assert run_bench(SumsOfProducts(**unit), BENCH, {"unit": unit, "cycles": 3000}) == 1


@pytest.mark.parametrize("a,b,message", [
    (signed(28), signed(18), r"operand a has 27 bits, not signed\(28\)"),
    (27, 17, r"operand a has 27 bits, not unsigned\(27\)"),
    (26, 18, r"operand b has 18 bits, not unsigned\(18\)")])
def test_wide_operands_are_refused(a, b, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        dsp48(Module(), Signal(a), Signal(b))
