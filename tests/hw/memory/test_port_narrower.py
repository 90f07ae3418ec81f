# amaranth: UnusedElaboratable=no
"""Masters of 128 bits behind ports of 64: data arrive whole, no rule of the narrow port is broken."""

from __future__ import annotations

import numpy as np
import pytest

from hw.memory.port_narrower import PortNarrower
from sim.runner import emit_verilog
from sim.verilated_core import VerilatedCore
from tests.hw.cycle_table import check_cycles
from tests.sim.copy_core import BEAT, CopyCore
from tests.sim.test_verilated_core import ERROR, HIGH_BASE, copy, noise


@pytest.fixture(scope="module")
def narrow():
    return emit_verilog(CopyCore(1, 64))


@pytest.mark.parametrize("stall, reorder, latency", [(0, 0, 0), (0, 0, 40), (0.3, 0, 5), (0.8, 0.5, 20), (0.1, 0.9, 3)])
@pytest.mark.parametrize("source, target, beats", [(0, 0x2000, 1), (0x0F00, 0x2000, 8), (0x0F00, 0x2000, 9),
                                                   (0x0F80, 0x2080, 100), (0, 0x2000, 255)])
def test_data_arrive_whole(narrow, stall, reorder, latency, source, target, beats):
    with VerilatedCore(narrow, 1, 64, memory=0x4000, base=HIGH_BASE) as core:
        core.configure(latency=latency, stall_probability=stall, reorder_probability=reorder, seed=beats)
        core.memory[:] = before = noise(0x4000)
        cycles = copy(core, HIGH_BASE + source, HIGH_BASE + target, beats)
        before[target:target + beats * BEAT] = before[source:source + beats * BEAT]
        np.testing.assert_array_equal(core.memory, before)
        assert core.read_register(ERROR) == 0 and core.protocol_errors() == []
        assert core.bytes_read == core.bytes_written == (beats * BEAT,)
        assert cycles >= 2 * beats + latency


@pytest.mark.parametrize("outside", [{"source": 0}, {"target": 0}])
def test_an_error_in_any_part_is_the_masters(narrow, outside):
    with VerilatedCore(narrow, 1, 64, memory=0x4000, base=HIGH_BASE) as core:
        places = {"source": HIGH_BASE, "target": HIGH_BASE + 0x2000} | outside
        copy(core, places["source"], places["target"], 16)
        assert core.read_register(ERROR) == 1 and core.protocol_errors() == []


def test_answers_from_before_a_reset_change_none_behind_it():
    """An odd number of beats and a failed half of a write, of which nothing is known; then a beat each way."""
    names = ("i__arvalid", "o__arready", "o__rvalid", "o__rlast", "o__rresp", "o__rdata", "i__awvalid", "i__awaddr",
             "o__awready", "i__wvalid", "i__wdata", "o__wready", "o__bvalid", "o__bresp")
    cycles = [
        *[dict(o__rvalid=1, o__rresp=2, o__rdata=7, o__bvalid=1, o__bresp=2)] * 3, {},
        dict(i__arvalid=1, o__arready=1, i__awvalid=1, o__awready=1), dict(o__arready=1, o__awready=1),
        *[dict(i__wvalid=1, i__wdata=5, o__wready=1)] * 2, dict(o__rvalid=1, o__rdata=3),
        dict(o__rvalid=1, o__rdata=4, o__rlast=1, o__bvalid=1), *[{}] * 3]
    outputs = {"i__rvalid": [0, 1, 1, 1, *[0] * 6, 1, 0, 0], "i__bvalid": [0, 1, 1, 1, *[0] * 6, 1, 0, 0],
               "i__rdata": [None] * 10 + [4 << 64 | 3, None, None], "i__rlast": [None] * 10 + [1, None, None],
               "i__rresp": [None] * 10 + [0, None, None], "i__bresp": [None] * 10 + [0, None, None]}
    check_cycles(PortNarrower(2), inputs={name: [cycle.get(name, 0) for cycle in cycles] for name in names},
                 outputs=outputs)


@pytest.mark.parametrize("first, second, told", [(2, 0, 2), (3, 0, 3), (0, 3, 3), (0, 2, 2), (0, 0, 0)])
def test_the_response_of_either_half_is_told(first, second, told):
    cycles = [dict(i__arvalid=1, o__arready=1), dict(o__arready=1), {}, dict(o__rvalid=1, o__rresp=first),
              dict(o__rvalid=1, o__rresp=second, o__rlast=1), {}]
    names = ("i__arvalid", "o__arready", "o__rvalid", "o__rlast", "o__rresp")
    check_cycles(PortNarrower(2), inputs={name: [cycle.get(name, 0) for cycle in cycles] for name in names},
                 outputs={"i__rvalid": [0, 0, 0, 0, 0, 1], "i__rresp": [None] * 5 + [told]})


def test_it_has_an_id():
    with pytest.raises(ValueError, match="ids must be positive, got 0"):
        PortNarrower(0)
