"""Which rows go into a pass: everyone decodes beside prompts, nobody starves, one prompt ends with a head."""

import numpy as np
import pytest

from host.engine.scheduler import Share, Turn, plan_pass


def test_a_lone_prompt_takes_the_pass_and_its_last_row_has_a_head():
    assert plan_pass([Turn(3, 40)], 16) == ((Share(3, 16, 0, False),), 16)
    assert plan_pass([Turn(3, 16)], 16) == ((Share(3, 16, 0, True),), 15)
    assert plan_pass([Turn(3, 1)], 16) == ((Share(3, 1, 0, True),), 0)
    assert plan_pass([], 16) == ((), 0)


def test_all_decode_beside_a_prompt():
    plan = plan_pass([Turn(0, 1), Turn(1, 100), Turn(2, 1)], 8)
    assert plan == ((Share(1, 6, 0, False), Share(0, 1, 0, True), Share(2, 1, 0, True)), 6)


def test_of_prompts_that_end_together_one_has_its_head_and_the_others_wait_for_theirs():
    plan = plan_pass([Turn(0, 1), Turn(1, 5), Turn(2, 4), Turn(3, 90)], 100)
    assert plan == ((Share(2, 3, 0, False), Share(3, 89, 0, False), Share(1, 5, 0, True), Share(0, 1, 0, True)), 96)


def test_a_short_prompt_does_not_wait_for_long_ones():
    plan = plan_pass([Turn(0, 1000), Turn(1, 1000), Turn(2, 5)], 65)
    assert {share.sequence: share.ids for share in plan.shares} == {0: 30, 1: 30, 2: 5}


def test_drafts_get_what_is_left():
    assert plan_pass([Turn(0, 1, 7)], 128).shares == (Share(0, 1, 7, True),)
    assert [share.drafts for share in plan_pass([Turn(0, 1, 7), Turn(1, 1, 7), Turn(2, 1, 1)], 10).shares] == [3, 3, 1]
    assert [share.drafts for share in plan_pass([Turn(0, 1, 7), Turn(1, 50)], 10).shares] == [0, 0]
    assert [share.drafts for share in plan_pass([Turn(0, 1, 7), Turn(1, 4)], 10).shares] == [0, 5]


def test_who_waited_longest_comes_first_where_rows_are_few():
    turns = [Turn(0, 1, served=5), Turn(1, 9, served=4), Turn(2, 1, served=3), Turn(3, 1, served=5)]
    assert {share.sequence for share in plan_pass(turns, 2).shares} == {1, 2}
    assert {share.sequence for share in plan_pass(turns, 3).shares} == {0, 1, 2}


@pytest.mark.parametrize("seed", range(200))
def test_nobody_starves_and_no_pass_overflows(seed):
    rng = np.random.default_rng(seed)
    rows, count = int(rng.integers(1, 20)), int(rng.integers(1, 17))
    left = {int(s): int(rng.choice([1, 1, 2, 5, 40])) for s in rng.permutation(count)}
    served, number = dict.fromkeys(left, 0), 0
    while any(pending > 1 for pending in left.values()) or number < 20:
        number += 1
        assert number < 1000
        turns = [Turn(s, pending, int(rng.integers(0, 8)), served[s]) for s, pending in left.items()]
        plan = plan_pass(turns, rows)
        wanted = {turn.sequence: turn for turn in turns}
        used = sum(share.ids + share.drafts for share in plan.shares)
        assert used <= rows and len({share.sequence for share in plan.shares}) == len(plan.shares)
        assert len(plan.shares) == min(count, rows)
        assert sum(share.scored and share.ids > 1 for share in plan.shares) <= 1
        without_head = [share.scored for share in plan.shares for _ in range(share.ids - 1)]
        scored = [share.scored for share in plan.shares]
        assert scored == sorted(scored) and plan.head_from == len(without_head) + scored.count(False)
        for share in plan.shares:
            turn = wanted[share.sequence]
            assert 1 <= share.ids <= turn.pending and share.drafts <= turn.drafts
            assert share.scored == (share.ids == turn.pending) and (not share.drafts or turn.pending == 1)
            served[share.sequence] = number
            left[share.sequence] = max(1, turn.pending - share.ids)
        assert number < 20 or min(served.values()) > number - 2 * -(-count // rows)
