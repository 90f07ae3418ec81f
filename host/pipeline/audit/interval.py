"""How sure a share is: its interval, and whether changes of one kind outnumber those of the other."""

from __future__ import annotations

from math import comb, sqrt
from typing import NamedTuple

__all__ = ["Share", "sign_test", "wilson"]

_NORMAL = 1.959964  # the 97.5 % quantile


class Share(NamedTuple):
    """`part` of `whole`, both counts."""

    part: int
    whole: int

    def shown(self) -> str:
        """In percent with its interval; a dash for a share of nothing."""
        if not self.whole:
            return "–"
        low, high = wilson(*self)
        return f"{self.part / self.whole:.0%} [{low:.0%}, {high:.0%}] of {self.whole}"


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The 95 % score interval of a share; (0, 1) of nothing. Source: E. B. Wilson, 1927."""
    if not whole:
        return 0.0, 1.0
    share, square = part / whole, _NORMAL**2 / whole
    middle, half = share + square / 2, _NORMAL * sqrt(share * (1 - share) / whole + square / (4 * whole))
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


def sign_test(there: int, back: int) -> float:
    """Probability of counts at least as uneven where both kinds of change are as likely: exact, of two sides."""
    total, least = there + back, min(there, back)
    return min(1.0, 2 * sum(comb(total, k) for k in range(least + 1)) / 2**total)
