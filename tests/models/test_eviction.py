"""Schedules: what a row sees, and how many rows there are together."""

import numpy as np
import pytest

from models.errors import OptionError
from models.eviction import BEACON, beacons, everything, random_rows, window


def seen(schedule, row):
    """The tokens that a row sees, and how many beacons."""
    before = [other for other in range(row + 1) if schedule.lasts[other] >= row]
    return ([int(schedule.tokens[other]) for other in before if schedule.tokens[other] != BEACON],
            sum(schedule.tokens[other] == BEACON for other in before))


def row_of(schedule, token):
    return int(np.flatnonzero(schedule.tokens == token)[0])


def counted_peak(schedule):
    return max(len(tokens) + count for tokens, count in (seen(schedule, row) for row in range(len(schedule.tokens))))


def test_a_token_sees_earlier_units_by_their_beacons_alone():
    schedule = beacons(12, 4, [2])
    assert schedule.tokens.tolist() == [0, 1, -1, 2, 3, -1, 4, 5, -1, 6, 7, -1, 8, 9, -1, 10, 11, -1]
    assert schedule.positions.tolist() == [0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8, 9, 9, 10, 11, 11]
    assert seen(schedule, row_of(schedule, 9)) == ([8, 9], 4)
    assert seen(schedule, row_of(schedule, 10)) == ([8, 9, 10], 5)


def test_a_beacon_sees_its_unit_so_far_and_the_beacons_before():
    schedule = beacons(8, 4, [2])
    rows = np.flatnonzero(schedule.tokens == BEACON)
    assert [seen(schedule, row) for row in rows] == [([0, 1], 1), ([0, 1, 2, 3], 2), ([4, 5], 3), ([4, 5, 6, 7], 4)]


def test_ratios_go_by_units_and_the_last_may_be_short():
    schedule = beacons(11, 4, [4, 2])
    assert schedule.tokens.tolist() == [0, 1, 2, 3, -1, 4, 5, -1, 6, 7, -1, 8, 9, 10]
    assert seen(schedule, row_of(schedule, 10)) == ([8, 9, 10], 3)


def test_a_window_keeps_sinks_and_the_latest():
    schedule = window(16, 4, 10, 2)
    assert seen(schedule, 11) == ([0, 1, 4, 5, 6, 7, 8, 9, 10, 11], 0)
    assert seen(schedule, 12) == ([0, 1, 8, 9, 10, 11, 12], 0)
    assert schedule.peak == 10


def test_random_rows_keep_a_share_of_each_unit_and_the_sinks():
    schedule = random_rows(12, 4, 2, 1, np.random.default_rng(0))
    tokens, _ = seen(schedule, 11)
    assert tokens[-4:] == [8, 9, 10, 11] and 0 in tokens
    assert [sum(start <= token < start + 4 for token in set(tokens) - {0}) in (1, 2) for start in (0, 4)] == [True] * 2


@pytest.mark.parametrize("schedule", [beacons(30, 8, [4]), beacons(30, 8, [2, 8]), window(30, 8, 13, 3),
                                      random_rows(30, 8, 4, 2, np.random.default_rng(1)), everything(9)])
def test_the_peak_is_what_counting_gives(schedule):
    assert schedule.peak == counted_peak(schedule)


def test_beacons_leave_as_many_rows_as_their_ratio_says():
    assert [beacons(256, 32, [ratio]).peak for ratio in (2, 4, 8)] == [160, 96, 64]


def test_what_makes_no_sense_is_told():
    with pytest.raises(OptionError, match="a unit of 8 tokens does not divide into parts of 3"):
        beacons(16, 8, [3])
    with pytest.raises(OptionError, match="a window of 11 rows does not hold 4 sinks and a unit of 8"):
        window(16, 8, 11, 4)
