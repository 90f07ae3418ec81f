"""Blocks of a memory against what the vendor's shapes give, at their edges."""

import pytest

from hw.analytic.blocks import block_memory, bram36_blocks, lutram, uram_blocks
from hw.boards.device import NONE
from hw.boards.technology import SERIES_7, ULTRASCALE_PLUS


@pytest.mark.parametrize("width, depth, blocks", [
    (1, 1, 1), (72, 4096, 1), (73, 4096, 2), (72, 4097, 2), (128, 4096, 2), (128, 16384, 8), (768, 4096, 11)])
def test_uram(width, depth, blocks):
    assert uram_blocks(width, depth) == blocks
    assert block_memory(width, depth, ultra=True).uram == blocks


@pytest.mark.parametrize("width, depth, blocks", [
    (36, 512, 0.5), (37, 512, 1), (72, 512, 1), (36, 1024, 1), (18, 1024, 0.5), (18, 2048, 1), (9, 2048, 0.5),
    (128, 256, 2), (108, 512, 1.5), (256, 128, 4), (24, 2048, 1.5)])
def test_block_ram_comes_in_halves(width, depth, blocks):
    assert bram36_blocks(width, depth) == blocks
    assert block_memory(width, depth, ultra=False).bram36 == blocks


@pytest.mark.parametrize("width, depth, reads, luts", [
    (10, 64, 1, 16), (10, 64, 4, 64), (20, 64, 4, 96), (40, 64, 4, 192), (80, 64, 4, 384), (14, 32, 1, 8),
    (15, 32, 1, 16), (96, 4, 1, 56)])
def test_distributed_ram_as_yosys_was_seen_to_map_it(width, depth, reads, luts):
    assert lutram(width, depth, reads, ULTRASCALE_PLUS) == luts


@pytest.mark.parametrize("width, depth, luts", [(6, 32, 4), (7, 32, 8), (3, 64, 4), (4, 64, 8), (3, 65, 8)])
def test_distributed_ram_of_the_older_family_is_four_luts_wide(width, depth, luts):
    assert lutram(width, depth, 1, SERIES_7) == luts


def test_a_block_takes_nothing_else():
    assert block_memory(72, 4096, ultra=True) + block_memory(72, 512, ultra=False) == NONE.__class__(
        lut=0, lutram=0, ff=0, dsp=0, bram36=1, uram=1)
