"""Predicted sites against counted ones: pieces as Yosys mapped them, and how the sums scale."""

from dataclasses import replace

import pytest

from hw.analytic import sites as model
from hw.analytic.blocks import lutram
from hw.analytic.sites import engine_sites, engine_terms, linear_terms, unit_sites
from hw.boards.device import NONE
from hw.boards.registry import BUILDS
from hw.boards.technology import ULTRASCALE_PLUS

KV260 = BUILDS["kv260"]


@pytest.mark.parametrize("reads, rows, lut, memory", [  # Yosys 0.70, synth_xilinx -family xcup, the unit alone
    (1, 1, 43, 16), (4, 1, 91, 64), (4, 2, 150, 96), (4, 4, 300, 192), (4, 8, 600, 384), (2, 8, 408, 192)])
def test_a_lookup_table(reads, rows, lut, memory):
    assert lutram(10 * rows, 64, reads, ULTRASCALE_PLUS) == memory
    assert memory + model._FILLER * rows == lut


@pytest.mark.parametrize("terms, lut", [(8, 74), (16, 161), (32, 336)])
def test_an_adder_tree(terms, lut):
    assert model._tree(terms) == lut


@pytest.mark.parametrize("inputs, luts", [(1, 0), (2, 1), (4, 1), (8, 2)])
def test_a_multiplexer(inputs, luts):
    assert model._multiplexer(inputs) == luts


@pytest.mark.parametrize("sources, luts", [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3)])
def test_a_choice_by_select_lines(sources, luts):
    assert model._choice(sources) == luts


def test_the_terms_add_up():
    linear, engine = linear_terms(KV260), engine_terms(KV260)
    assert list(linear.items()) == list(engine.items())[:len(linear)]
    assert sum(engine.values(), NONE) == engine_sites(KV260) == unit_sites(KV260, "engine")
    assert sum(linear.values(), NONE) == unit_sites(KV260, "linear")
    assert unit_sites(KV260, "vector") is None and unit_sites(KV260, None) is None


def test_look_ups_scale_with_rows_and_outputs():
    for change in ({"rows": 16}, {"outputs_per_step": 8}):
        before, after = linear_terms(KV260), linear_terms(replace(KV260, **change))
        assert after["adder trees"].lut == 2 * before["adder trees"].lut
        assert 1.8 * before["tables"].lut < after["tables"].lut <= 2 * before["tables"].lut
    assert after["fillers"] == before["fillers"]  # outputs share them


def test_memories_of_the_kv260():
    """9 for 640 bits of a step, 11 a bank of 768 bits of sums, 4 x 2 for 8,192 words of 32 activations."""
    uram = {name: term.uram for name, term in linear_terms(KV260).items() if term.uram}
    assert uram == {"weight buffer": 9, "accumulators": 22, "activations": 8}


def test_without_uram_everything_is_block_ram():
    with_, without = engine_sites(KV260), engine_sites(replace(KV260, name="arty_z7"))
    assert without.uram == 0 and with_.uram > 0 and without.bram36 > with_.bram36 + 7 * with_.uram
    assert without.lut > with_.lut  # distributed RAM of that family holds less a LUT


def test_shallow_memories_are_block_ram():
    tiny = engine_sites(BUILDS["sim-tiny"])
    assert tiny.uram == 0 and tiny.bram36 > 0


def test_the_kv260s_engine_as_synthesised():
    """`hw.report --unit engine` (docs/measurements.md); no constant was fitted to it."""
    found = engine_sites(KV260)
    assert found.lut == pytest.approx(43_525, rel=0.2) and found.lutram == pytest.approx(13_984, rel=0.05)
    assert (found.bram36, found.uram, found.dsp) == (16, 39, 2)
