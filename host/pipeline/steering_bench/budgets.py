"""At which strengths a stage costs given amounts of perplexity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, log

__all__ = ["strengths_at"]

_DOUBLINGS = 20  # of the strength, up or down, in search of the budgets
_STEPS = 6  # of the search inside a bracket
_CLOSE = 0.1  # of a budget: near enough


def strengths_at(cost: Callable[[float], float], budgets: Sequence[float], start: float = 1.0) -> dict[float, float]:
    """The strength at which each budget is spent, as nearly as a few evaluations find; without those never reached.

    cost: perplexity under a strength over the plain model's; near 1 for small ones, and it may jump. budgets: above 0,
    0.05 for five percent more. A cost that is no monotone function of the strength is followed to its first crossing.
    """
    seen: dict[float, float] = {}

    def excess(strength: float) -> float:
        if strength not in seen:
            found = cost(strength) - 1
            seen[strength] = inf if found != found else found
        return seen[strength]

    up = start
    for _ in range(_DOUBLINGS):
        if excess(up) >= max(budgets):
            break
        up *= 2
    down = start
    for _ in range(_DOUBLINGS):
        if excess(down) <= min(budgets):
            break
        down /= 2
    return {budget: strength for budget in sorted(budgets)
            if (strength := _crossing(excess, seen, budget)) is not None}


def _crossing(excess: Callable[[float], float], seen: dict[float, float], budget: float) -> float | None:
    """Where the excess first reaches a budget, between strengths that were seen; None: nowhere."""
    above = [strength for strength in sorted(seen) if seen[strength] >= budget]
    if not above:
        return None
    high = above[0]
    below = [strength for strength in sorted(seen) if strength < high]
    if not below:
        return high if seen[high] <= (1 + _CLOSE) * budget else None
    low = below[-1]
    for _ in range(_STEPS):
        best = min((low, high), key=lambda strength: abs(seen[strength] - budget))
        if abs(seen[best] - budget) <= _CLOSE * budget:
            return best
        middle = _between(low, high, seen[low], seen[high], budget)
        low, high = (middle, high) if excess(middle) < budget else (low, middle)
    return min((low, high), key=lambda strength: abs(seen[strength] - budget))


def _between(low: float, high: float, at_low: float, at_high: float, budget: float) -> float:
    """Where a power law through both would spend the budget, kept off the ends; halfway where there is none."""
    part = 0.5
    if 0 < at_low < at_high < inf:
        part = min(max((log(budget) - log(at_low)) / (log(at_high) - log(at_low)), 0.1), 0.9)
    return low * (high / low) ** part
