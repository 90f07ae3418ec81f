"""Room: free as long as a place is, in every cycle."""

from __future__ import annotations

import random

import pytest

from hw.stream.room import Room
from tests.hw.cycle_table import check_cycles


def test_free_in_every_cycle():
    pick, places = random.Random(1), 3
    take, give, free, left = [], [], [], places
    for cycle in range(600):
        free.append(int(left > 0))
        greedy = cycle // 100 % 2
        take.append(int(left > 0 and pick.random() < (0.9 if greedy else 0.3)))
        give.append(int(left < places and pick.random() < (0.3 if greedy else 0.9)))
        left += give[-1] - take[-1]
    assert 0 in free
    check_cycles(Room(places), inputs={"take": take, "give": give}, outputs={"free": free})


def test_one_place():
    check_cycles(Room(1), inputs={"take": [1, 0, 0, 1, 0, 0], "give": [0, 1, 0, 0, 0, 1]},
                 outputs={"free": [1, 0, 1, 1, 0, 0]})


def test_places_are_positive():
    with pytest.raises(ValueError, match="^places must be positive, got 0$"):
        Room(0)
