"""What routed paths meet, by a netlist made by hand, and what that costs, by paths made up of known costs."""

import json
import random

import pytest

from hw.place.timing import TimedPath
from hw.synthesis.netlist import read_netlist
from scripts.experiments.routed_paths import MEETS, RoutedPath, costs, explained, routed_paths, unit_of
from tests.hw.synthesis.netlists import lut, register, write_netlist

SOME, MANY, READ, WRITTEN, BLOCK, PRODUCT = range(len(MEETS))
CELLS = [
    register("in", "a"), ("MULT18X18D", {"A0": "a", "P0": "_1"}), ("DP16KD", {"ADA0": "a", "DOA0": "_2"}),
    ("TRELLIS_DPR16X4", {"RAD": "a _1 _2 x", "DO": "_3"}), lut("a x", "_4"), lut("x y", "_5"),
    ("PFUMX", {"ALUT": "_4", "BLUT": "_5", "C0": "x", "Z": "_6"}), lut("x y", "_7"), register("_7", "b"),
    ("PFUMX", {"ALUT": "_7", "BLUT": "_7", "C0": "x", "Z": "_8"}),
    ("L6MUX21", {"D0": "_6", "D1": "_6", "SD": "x", "Z": "_9"}),
    *(register("_6", f"c[{n}]") for n in range(40)), *(register("_9", f"d[{n}]") for n in range(130))]
"""By number: 0 a, 1 product, 2 block RAM, 3 distributed RAM, 4 LUT before 10's 130 loads, 5 LUT before 6's 42, 7 LUT,
8 b."""


@pytest.fixture
def found(tmp_path):
    text = json.loads(write_netlist(tmp_path / "netlist.json", CELLS, inputs="in x y clk").read_text())
    for cell in text["modules"]["top"]["cells"].values():
        outputs = {"P0", "DOA0", "DO", "Z"} & cell["connections"].keys()
        cell["port_directions"].update(dict.fromkeys(outputs, "output"))
    (tmp_path / "netlist.json").write_text(json.dumps(text))
    netlist = read_netlist(tmp_path / "netlist.json", "top")

    def of(*cells, end="$cell8"):
        names = [cell if isinstance(cell, str) else f"$cell{cell}" for cell in cells]
        path, = routed_paths("memory", [TimedPath(4, 3, len(names) - 1, names[0], end, tuple(names[1:])),
                                        TimedPath(2, 1, 0, "$cell0", "shifted[3]", ())], netlist)
        assert (path.engine, path.ns, path.wires, path.levels) == ("memory", 4, 0.75, len(names) - 1)
        return path
    return of


def meets(**counts):
    return tuple(counts.get(name, 0) for name in ("some", "many", "read", "written", "block", "product"))


def test_what_a_path_meets(found):
    assert found(0, 7).meets == meets() and found(0, 7).loads == 4
    assert found(0, 5).meets == meets(some=1) and found(0, 5).loads == 42
    assert found(0, 4, 5).meets == meets(some=1, many=1) and found(0, 4).loads == 130
    assert found(0, "$cell3$DPRAM_COMB2", 7).meets == meets(read=1)
    assert found(0, "$cell3$RAMW_SLICE", end="$cell3$DPRAM_COMB0").meets == meets(written=1)
    assert found(2, 7).meets == found(0, 7, end="$cell2").meets == meets(block=1)
    assert found(1, 7).meets == found(0, 1, 7).meets == found(0, end="$cell1").meets == meets(product=1)
    assert found(0, "$nextpnr_CCU2C_7").meets == meets()


def test_units_lie_right_below_the_folded_engine():
    assert [unit_of(place) for place in (
        "unit.queue_head.queue", "unit$26.lane_3.fifo.storage", "unit.row_1_2", "unit.watchdog$382", "unit", "unit$26",
        "", "descriptors")] == ["queue_head", "lane", "row", "watchdog", "(own)", "(own)", "(ports)", "(ports)"]


def test_costs_are_found_again():
    pick = random.Random(3)
    known = (0.5, 2.0, 1.5, 2.5, 0.25, 4.0)

    def path():
        levels, met = pick.randrange(7), tuple(pick.randrange(3) for _ in MEETS)
        ns = 2 + 1.25 * levels + sum(count * each for count, each in zip(met, known, strict=True))
        return RoutedPath("head", "top", ns, 0.5, levels, 1, met, "", "")

    paths = [path() for _ in range(50)]
    found = costs(paths)
    assert (found.path, found.level, *found.meets) == pytest.approx((2, 1.25, *known))
    assert found.beyond(paths[0]) == pytest.approx(paths[0].ns - 2 - 1.25 * paths[0].levels)
    assert vars(found.weights) == pytest.approx({"some": 0.4, "many": 1.6, "read": 1.2, "written": 2, "block": 0.2})


def test_what_costs_less_than_nothing_weighs_nothing():
    paths = [RoutedPath("head", "top", 5 + levels - met, 0.5, levels, 1, (met, 0, 0, 0, 0, 0), "", "")
             for levels in range(4) for met in range(2)]
    assert costs(paths).meets[SOME] == pytest.approx(-1) and costs(paths).weights.some == 0


def test_what_levels_alone_explain():
    paths = [RoutedPath("head", "top", levels + 3 * met, 0.5, levels, 1, (met, 0, 0, 0, 0, 0), "", "")
             for levels in (0, 2) for met in (0, 1)]
    assert explained(paths) == pytest.approx((1 / 3.25, 1))  # variances of 1 and, of what they meet, 2.25
