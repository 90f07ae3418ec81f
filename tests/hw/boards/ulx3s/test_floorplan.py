"""The ULX3S's floorplan: each site and unit once, rows as the chip has them."""

import re

import pytest

from hw.boards.floorplan import FREE
from hw.boards.ulx3s.floorplan import FLOORPLAN


def test_the_plan_of_the_ulx3s_has_each_site_and_unit_once():
    places = [site for row in FLOORPLAN for site in row.sites]
    assert len(set(places)) == len(places)
    assert {kind: sum(row.cell == kind for row in FLOORPLAN) * 52 for kind in ("MULT18X18D", "DP16KD")} == {
        "MULT18X18D": 156, "DP16KD": 208}  # all that the chip has
    for kind in ("MULT18X18D", "DP16KD"):
        units = [unit for row in FLOORPLAN if row.cell == kind for unit in row.units if unit != FREE]
        assert not any(a != b and f"{b}.".startswith(f"{a}.") for a in units for b in units)
        assert len(set(units)) == len(units)


@pytest.mark.parametrize("row", FLOORPLAN, ids=lambda row: row.sites[0])
def test_a_row_of_the_ulx3s_is_one_row_of_the_chip_from_left_to_right(row):
    found = [re.fullmatch(r"X(\d+)/Y(\d+)/\w+", site) for site in row.sites]
    assert len({match[2] for match in found}) == 1
    columns = [int(match[1]) for match in found]
    assert columns == sorted(set(columns))
