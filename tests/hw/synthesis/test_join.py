"""Parts joined at their ports: paths across them count whole, constants and wires go through."""

import re

import pytest

from hw.boards.registry import BUILDS
from hw.synthesis.join import join_netlists
from hw.synthesis.levels import LogicLevels
from hw.synthesis.netlist import read_netlist
from hw.synthesis.resources import count_resources
from hw.synthesis.units import FRAME, PARTS, unit_verilog
from tests.hw.synthesis.netlists import lut, register, write_netlist

_PORT = re.compile(r"^  (input|output) (?:reg |wire )?(?:\[\d+:\d+\] )?(\\\S+|\w+)", re.MULTILINE)


@pytest.fixture
def part(tmp_path):
    def read(name, cells, inputs="", outputs=""):
        path = write_netlist(tmp_path / "netlist.json", cells, f"clk {inputs}", outputs)
        return read_netlist(path, "top", prefix=f"{name}." if name else "")
    return read


@pytest.fixture
def giver(part):
    return part("a", [register("i", "q"), lut("q i", "o")], "i", "o")


@pytest.fixture
def taker(part):
    return part("b", [lut("i q", "_1"), lut("_1 q", "_2"), register("_2", "q")], "i")


def test_a_path_across_parts_counts_whole(part, giver, taker):
    frame = part("", [register("c", "a__i"), lut("a__o d", "b__i"), lut("a__o d", "e")], "a__o c d", "a__i b__i e")
    joined = join_netlists(frame, {"a": giver, "b": taker})
    levels = LogicLevels(joined)
    assert levels.worst == 4
    assert str(levels.paths(1)[0]) == "a.q -> LUT2 a.o -> LUT2 b__i -> LUT2 -> LUT2 -> b.q/D (FDRE)"
    sites = count_resources(joined)
    assert (sites.lut, sites.ff) == (5, 3)
    assert (sorted(joined.inputs), sorted(joined.outputs)) == (["c", "clk", "d"], ["e"])


def test_a_wire_of_the_frame_joins_two_parts(part, giver, taker):
    frame = part("", [register("c", "a__i")], "a__o c", "a__i")
    frame.outputs["b__i"] = frame.inputs["a__o"]
    levels = LogicLevels(join_netlists(frame, {"a": giver, "b": taker}))
    assert levels.worst == 3


def test_a_constant_is_the_start_of_no_path(part, taker):
    constant = part("a", [])
    constant.outputs["a.o"] = [None]
    frame = part("", [], "a__o")
    frame.outputs["b__i"] = frame.inputs["a__o"]
    joined = join_netlists(frame, {"a": constant, "b": taker})
    assert joined.cells[0].inputs["I0"] == [None]
    assert str(LogicLevels(joined).paths(1)[0]) == "b.q -> LUT2 -> LUT2 -> b.q/D (FDRE)"


def test_an_input_that_nothing_drives_is_named(part, giver, taker):
    frame = part("", [], "a__o", "a__i")
    with pytest.raises(ValueError, match="^nothing drives the 1 bits of b__i$"):
        join_netlists(frame, {"a": giver, "b": taker})


@pytest.mark.slow
def test_the_cores_parts_have_the_frames_ports():
    ports = {unit: {name.strip("\\ "): direction for direction, name in _PORT.findall(unit_text(unit))}
             for unit in (FRAME, *PARTS)}
    for part in PARTS:
        for port, direction in ports[part].items():
            if direction == "input" and port not in ("clk", "rst"):
                assert ports[FRAME].get(f"{part}__{port}") == "output"
        for port, direction in ports[FRAME].items():
            if port.startswith(f"{part}__") and direction == "input":
                assert ports[part].get(port.removeprefix(f"{part}__")) == "output"


def unit_text(unit):
    """The top module's text."""
    text = unit_verilog(BUILDS["sim-tiny"], unit)
    start = text.index(f"module {unit}(")
    return text[start:text.index("endmodule", start)]
