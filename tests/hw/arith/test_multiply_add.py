# amaranth: UnusedElaboratable=no
"""Sums of products in DSP blocks are exact; operands that a block cannot take are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal, signed

from hw.arith.multiply_add import accumulate, multiply_add
from hw.boards.technology import PLAIN, SERIES_7, ULTRASCALE_PLUS
from sim.runner import emit_verilog, run_bench
from tests.hw.arith.multiply_add_bench import BENCH, TECHNOLOGIES, SumsOfProducts


@pytest.mark.parametrize("technology", TECHNOLOGIES)
@pytest.mark.parametrize("pairs,added", [pytest.param(3, 1, marks=pytest.mark.slow), (3, 2)])
def test_sums_are_exact(pairs, added, technology):
    unit = dict(pairs=pairs, added=added, technology=technology)
    assert run_bench(SumsOfProducts(**unit), BENCH, {"unit": unit, "cycles": 3000},
                     technology=TECHNOLOGIES[technology]) == 1


@pytest.mark.parametrize("technology,blocks", [(ULTRASCALE_PLUS, {"DSP48E2"}), (SERIES_7, {"DSP48E1"}), (PLAIN, set())])
def test_each_technology_has_its_own_block(technology, blocks):
    text = emit_verilog(SumsOfProducts(3, 2, technology.name), technology)
    assert {name for name in ("DSP48E1", "DSP48E2") if name in text} == blocks


@pytest.mark.parametrize("bits,chain,in_block", [(8, 0, True), (8, 1, False), (8, 2, False), (9, 2, True)])
def test_narrow_products_are_luts_but_for_the_first_chains(bits, chain, in_block):
    m, a, b = Module(), Signal(signed(16)), Signal(signed(bits))
    multiply_add(m, replace(SERIES_7, fabric_bits=8, block_chains=1), a, b, None, chain=chain)
    assert ("DSP48E1" in rtlil.convert(m, ports=[a, b])) == in_block


@pytest.mark.parametrize("technology,a,b,message", [
    (ULTRASCALE_PLUS, signed(28), signed(18), r"operand a has 27 bits, not signed\(28\)"),
    (ULTRASCALE_PLUS, 27, 17, r"operand a has 27 bits, not unsigned\(27\)"),
    (ULTRASCALE_PLUS, 26, 18, r"operand b has 18 bits, not unsigned\(18\)"),
    (SERIES_7, 25, 17, r"operand a has 25 bits, not unsigned\(25\)"),
    (PLAIN, 24, 18, r"operand b has 18 bits, not unsigned\(18\)"),
    (None, 25, 17, r"operand a has 25 bits, not unsigned\(25\)")])
def test_wide_operands_are_refused(technology, a, b, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        multiply_add(Module(), technology, Signal(a), Signal(b), None)


def test_no_more_than_two_products_a_step_are_added_over_time():
    with pytest.raises(ValueError, match="one or two products a step are added up, not 3"):
        accumulate(Module(), PLAIN, [(Signal(8), Signal(8))] * 3, first=Signal(), enable=Signal())
