"""Blocks of a netlist at the sites of a floorplan: order, gaps and what is left over."""

from random import Random

from hw.boards.floorplan import FREE, BlockRow
from hw.place.seats import seat


def sites(blocks: dict[str, str]) -> dict[str, str]:
    """Those that ROWS give. blocks: kinds by name."""
    cells = {name: {"type": kind, "attributes": {"src": "x"}} for name, kind in blocks.items()}
    seat({"cells": cells}, ROWS)
    return {name: cell["attributes"]["BEL"] for name, cell in cells.items() if "BEL" in cell["attributes"]}


ROWS = (BlockRow("M", ("m0", "m1", "m2", "m3"), ("a.b", FREE, "c")), BlockRow("D", ("d0", "d1"), ("c",)))


def test_parts_lie_side_by_side_by_their_numbers():
    names = ["a.b.p10", "a.b.p2", "c.x"]
    for seed in range(3):
        shuffled = Random(seed).sample(names, len(names))
        assert sites(dict.fromkeys(shuffled, "M")) == {"a.b.p2": "m0", "a.b.p10": "m1", "c.x": "m3"}


def test_other_units_kinds_and_what_finds_its_row_full_stay_free():
    blocks = {"a.bc.x": "M", "a.b": "M", "c.x": "LUT4", **{f"c.{n}": "D" for n in range(3)}}
    assert sites(blocks) == {"c.0": "d0", "c.1": "d1"}


def test_a_unit_without_blocks_is_named():
    cells = {"a.bc.x": {"type": "M", "attributes": {}}, "c.0": {"type": "D", "attributes": {}}}
    assert seat({"cells": cells}, ROWS) == ["a.b", "c"]  # c: of the row of Ms
