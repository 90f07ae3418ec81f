"""Strengths are found for budgets, whatever a method's unit, and none for what is never reached."""

import math

import pytest

from host.pipeline.steering_bench.budgets import strengths_at

BUDGETS = (0.005, 0.02, 0.1, 0.2)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 300.0])
def test_budgets_are_spent_to_a_tenth_in_any_unit(unit):
    def cost(strength):
        return 1 + (strength / unit) ** 2

    found = strengths_at(cost, BUDGETS)
    assert list(found) == list(BUDGETS)
    assert all(abs(cost(found[budget]) - 1 - budget) <= 0.1 * budget for budget in BUDGETS)


def test_few_evaluations_are_enough():
    asked = []

    def cost(strength):
        asked.append(strength)
        return math.exp(strength**1.7)

    strengths_at(cost, BUDGETS)
    assert len(asked) == len(set(asked)) < 25


def test_a_budget_that_is_never_reached_has_no_strength():
    assert list(strengths_at(lambda strength: 1 + min(strength, 0.05), BUDGETS)) == [0.005, 0.02]
    assert strengths_at(lambda strength: 1.0, BUDGETS) == {}


def test_a_cost_that_leaves_the_numbers_is_over_every_budget():
    def cost(strength):
        return math.nan if strength > 2 else math.inf if strength > 1 else 1 + 0.3 * strength

    found = strengths_at(cost, BUDGETS, start=8.0)
    assert all(abs(0.3 * found[budget] - budget) <= 0.1 * budget for budget in BUDGETS)


def test_a_jump_over_a_budget_gives_the_nearest_strength():
    found = strengths_at(lambda strength: 1.0 if strength < 3 else 1.15, (0.1,))
    assert found[0.1] == pytest.approx(3, rel=0.05)


def test_what_falls_first_is_followed_to_its_first_crossing():
    def cost(strength):
        return 1 - 0.01 * strength + 0.02 * strength**2

    found = strengths_at(cost, (0.02,))
    assert cost(found[0.02]) == pytest.approx(1.02, abs=0.002) and found[0.02] > 1
