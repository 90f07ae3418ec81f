"""Blocks of a netlist at the sites of a floorplan: order, gaps and what is left over."""

import json
from random import Random

from hw.boards.floorplan import FREE, BlockRow
from hw.place.seats import seated


def netlist(blocks: dict[str, str]) -> bytes:
    """blocks: kinds by name."""
    cells = {name: {"type": kind, "attributes": {"src": "x"}} for name, kind in blocks.items()}
    modules = {"other": {"attributes": {}, "cells": {}}, "top": {"attributes": {"top": "1"}, "cells": cells}}
    return json.dumps({"modules": modules}).encode()


def sites(found: bytes) -> dict[str, str]:
    cells = json.loads(found)["modules"]["top"]["cells"]
    return {name: cell["attributes"]["BEL"] for name, cell in cells.items() if "BEL" in cell["attributes"]}


ROWS = (BlockRow("M", ("m0", "m1", "m2", "m3"), ("a.b", FREE, "c")), BlockRow("D", ("d0", "d1"), ("c",)))


def test_parts_lie_side_by_side_by_their_numbers():
    names = ["a.b.p10", "a.b.p2", "c.x"]
    for seed in range(3):
        shuffled = Random(seed).sample(names, len(names))
        found = seated(netlist(dict.fromkeys(shuffled, "M")), ROWS)
        assert sites(found) == {"a.b.p2": "m0", "a.b.p10": "m1", "c.x": "m3"}


def test_other_units_kinds_and_what_finds_its_row_full_stay_free():
    blocks = {"a.bc.x": "M", "a.b": "M", "c.x": "LUT4", **{f"c.{n}": "D" for n in range(3)}}
    assert sites(seated(netlist(blocks), ROWS)) == {"c.0": "d0", "c.1": "d1"}


def test_without_rows_the_netlist_is_as_it_was():
    assert seated(b"no JSON", ()) == b"no JSON"
