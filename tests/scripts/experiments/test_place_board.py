"""A board placed whole: whose the sites are, and the tables of a made run."""

from types import SimpleNamespace

import pytest

from hw.place.bitstream import Bitstream
from hw.place.nextpnr import BITSTREAM, Placed
from hw.place.timing import TimedPath
from models.errors import BuildError
from scripts.experiments import place_board
from scripts.experiments.place_board import main, unit_sites
from tests.hw.synthesis.netlists import lut, netlist, register

CELLS = [*(register("_1", f"system.core.vector.norm.q[{n}]") for n in range(300)),
         *(lut("a b", f"system.core.vector.sum[{n}]") for n in range(250)), lut("a b", "_7"),
         register("_7", "system.link.session.open"), lut("a b", "system.core.stop"), lut("a b", "rst")]
"""A LUT without a name among them: it is the top's."""


def test_sites_are_those_of_a_part_of_the_core_or_of_a_unit_beside_it(tmp_path, monkeypatch):
    def found():
        return {unit: (sites.lut, sites.ff)
                for unit, sites in unit_sites(netlist(tmp_path, CELLS, "a b clk")).items()}

    assert found() == {"core.vector": (250, 300), "others": (3, 1)}
    monkeypatch.setattr(place_board, "_SMALL", 0)
    assert found() == {"core.vector": (250, 300), "top": (2, 0), "core": (1, 0), "link": (0, 1), "others": (0, 0)}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """In place of the tools: clocks by seed; None where the router finds no way."""
    clocks: dict[int, float | None] = {}
    document, (start, end) = tmp_path / "ulx3s.md", place_board._MARKS
    document.write_text(f"before\n{start}\nold\n{end}\nbehind\n")

    def make_bitstream(build, board, verilog, seeds, *, say):
        (seed,) = seeds
        if clocks[seed] is None:
            raise BuildError("no way")
        folder = tmp_path / str(seed)
        folder.mkdir(exist_ok=True)
        (folder / BITSTREAM).write_text(f"bits of {seed}")
        path = TimedPath(16.0, 12.0, 5, "system.core.vector.tap.a", "system.core.vector.norm.b", ())
        placed = Placed(folder, seed, "0.11", clocks[seed], 900.0, {"TRELLIS_FF": (42_000, 83_640), "GSR": (1, 1)},
                        (path,), {"sdram_dq[1]": 5.5, "tx": 11.0})
        return Bitstream(SimpleNamespace(yosys="0.70", netlist=None), placed)

    monkeypatch.setattr(place_board, "make_bitstream", make_bitstream)
    monkeypatch.setattr(place_board, "kept_verilog", lambda build: ("module", "hash"))
    monkeypatch.setattr(place_board, "read_netlist", lambda path, top: netlist(tmp_path, CELLS, "a b clk"))
    monkeypatch.setattr(place_board, "_DOCUMENT", document)
    return clocks, document


def test_the_tables_are_those_of_the_fastest_seed(made, capsys):
    clocks, document = made
    clocks |= {1: 61.25, 2: 63.5, 3: None}
    main(["--seeds", "3", "--record"])
    text = document.read_text()
    start, end = place_board._MARKS
    assert text == f"before\n{start}\n{capsys.readouterr().out}{end}\nbehind\n" and "old" not in text
    assert "| 1 | 61.25 | 900 |" in text and "| 3 | not routed |  |  |" in text
    assert "Seed 2, sites by nextpnr; at most 5.5 ns between" in text
    assert "| TRELLIS_FF | 42,000 | 83,640 | 50 |" in text and "GSR" not in text
    assert "| core.vector.norm | 16.0 | 75% | 5 | core.vector.tap |" in text


@pytest.mark.parametrize(("clock", "why"), [(59.5, "59.5 MHz, not 60"), (None, "no seed was routed")])
def test_a_board_that_is_too_slow_or_not_routed_is_not_recorded(made, clock, why):
    clocks, document = made
    clocks |= {1: clock}
    with pytest.raises(BuildError, match=why):
        main(["--seeds", "1", "--record"])
    assert "old" in document.read_text()
