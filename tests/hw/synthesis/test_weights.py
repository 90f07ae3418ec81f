"""What memories and nets weigh on the longest paths of small netlists."""

import pytest

from hw.synthesis.levels import LogicLevels
from hw.synthesis.weights import MANY_LOADS, SOME_LOADS, Weights
from tests.hw.synthesis.netlists import lut, netlist, register

WEIGHTS = Weights(some=0.5, many=2, read=3, written=2.5, block=5)


@pytest.fixture
def longest(tmp_path):
    def of(cells):
        (path,) = LogicLevels(netlist(tmp_path, cells, inputs="in b x clk"), WEIGHTS).paths(1)
        return path.levels, path.weighed, path.end
    return of


@pytest.mark.parametrize("loads,weight", [
    (SOME_LOADS - 1, 0), (SOME_LOADS, 0.5), (MANY_LOADS - 1, 0.5), (MANY_LOADS, 2)])
def test_nets_weigh_by_their_loads(longest, loads, weight):
    assert WEIGHTS.net(loads) == weight
    more = [register("_1", f"r{n}") for n in range(loads - 1)]
    cells = [register("in", "a"), lut("a b", "_1"), lut("_1 b", "_2"), register("_2", "q"), *more]
    assert longest([("FDRE", pins | {"C": "in"}) if kind == "FDRE" else (kind, pins) for kind, pins in cells]) == (
        2, 2 + weight, "q/D (FDRE)")


def ram(address, output, written="b"):
    return "RAM32M16", {"ADDRA": f"{address} b b b b", "DOA": output, "ADDRH": "b b b b b", "DIA": written, "WE": "b",
                        "WCLK": "clk"}


def test_distributed_ram_weighs_where_it_is_read_and_where_it_is_written(longest):
    assert longest([register("in", "a"), ram("a", "_1"), register("_1", "q")]) == (1, 1 + 3, "q/D (FDRE)")
    assert longest([register("in", "a"), lut("a b", "_1"), ram("b", "q", "_1")]) == (1, 1 + 2.5, "q/DIA (RAM32M16)")
    shift = "SRL16E", {"A0": "a", "CE": "b", "CLK": "clk", "D": "b", "Q": "_1"}
    assert longest([register("in", "a"), shift, register("_1", "q")]) == (1, 1, "q/D (FDRE)")


@pytest.mark.parametrize("kind,into,out", [("RAMB36E2", "ADDRARDADDR", "DOUTADOUT"), ("URAM288", "ADDR_A", "DOUT_A")])
def test_blocks_weigh_at_either_end_and_products_nowhere(longest, kind, into, out):
    assert longest([(kind, {into: "b", out: "_1"}), lut("_1 b", "_2"), register("_2", "q")])[:2] == (1, 1 + 5)
    assert longest([register("in", "a"), lut("a b", "_1"), (kind, {into: "_1", out: "q"})])[:2] == (1, 1 + 5)
    assert longest([("DSP48E2", {"A": "b", "P": "_1"}), lut("_1 b", "_2"), register("_2", "q")])[:2] == (1, 1)
