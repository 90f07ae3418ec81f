"""Whether heads carry what their signature promises: the loss without them, beside the loss without matched others.

What induction brings is how much less the second half of a repeated sequence costs than its first: a head without which
both halves cost as much more does something else. So that difference is what is held against matched heads, beside the
first halves and ordinary text. Source: "Induction Signatures Are Not Enough".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from host.pipeline.heads.ablation import Ablated, Head
from host.pipeline.heads.repeats import Repeated

__all__ = ["Estimate", "Losses", "Sequences", "Trial", "correlation", "estimate"]


class Estimate(NamedTuple):
    """A mean and its standard error, NaN for a single value."""

    mean: float
    error: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} ± {self.error:.3f}"


class Losses(NamedTuple):
    """Nats a token. repeat: second halves less first halves of random sequences [sequences], below 0 where the model
    makes use of the first; passage: the same of passages of text [passages]; first: first halves of the random
    sequences; text: windows of ordinary text [windows]."""

    repeat: np.ndarray
    passage: np.ndarray
    first: np.ndarray
    text: np.ndarray

    def less(self, other: Losses) -> Losses:
        """How much more this is than another, sequence by sequence."""
        return Losses(*(mine - its for mine, its in zip(self, other, strict=True)))

    def estimates(self) -> dict[str, Estimate]:
        """By what they are of."""
        return {name: estimate(values) for name, values in self._asdict().items()}


def estimate(values: np.ndarray) -> Estimate:
    """Of independent values [n]."""
    error = float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return Estimate(float(np.mean(values)), error)


class Sequences(NamedTuple):
    """What losses are measured on: random tokens and passages of text that come twice, windows of ordinary text."""

    repeated: Sequence[Repeated]
    passages: Sequence[Repeated]
    windows: Sequence[Sequence[int]]

    def losses(self, losses: Callable[[Sequence[int]], np.ndarray]) -> Losses:
        """All four. losses: -log p of each of ids[1:]."""
        first, repeat = _halves(losses, self.repeated)
        return Losses(repeat, _halves(losses, self.passages)[1], first,
                      np.array([losses(window).mean() for window in self.windows]))


def _halves(losses: Callable[[Sequence[int]], np.ndarray], repeated: Sequence[Repeated]
            ) -> tuple[np.ndarray, np.ndarray]:
    """Of each sequence the loss of the first half, and how much more the second costs."""
    found = [(losses(each.ids), each) for each in repeated]
    first, second = (np.array([values[getattr(each, half)].mean() for values, each in found])
                     for half in ("first", "second"))
    return first, second - first


class Trial:
    """Losses of one model without this or that head, on one set of sequences."""

    def __init__(self, ablated: Ablated, sequences: Sequences):
        self._ablated, self._sequences = ablated, sequences
        self.plain = self.without(())

    def without(self, heads: Sequence[Head]) -> Losses:
        """The losses themselves."""
        return self._sequences.losses(lambda ids: self._ablated.losses(heads, ids))

    def rise(self, heads: Sequence[Head]) -> Losses:
        """How much more than the whole model's."""
        return self.without(heads).less(self.plain)

    def rise_of_repeats(self, head: Head) -> Estimate:
        """Without one head, of `Losses.repeat` alone."""
        _, found = _halves(lambda ids: self._ablated.losses([head], ids), self._sequences.repeated)
        return estimate(found - self.plain.repeat)

    def against(self, heads: Sequence[Head], draws: Sequence[Sequence[Head]],
                step: Callable[[], object] = lambda: None) -> dict[str, Any]:
        """Rises without `heads`, without each of `draws`, and by how much the first exceed the others' mean.

        The excess' error has both parts: of the sequences, which are the same for all, and of the draws. carries:
        whether the whole model makes use of repeats and `Losses.repeat` rises above the matched heads', both by more
        than two errors; None without draws. step: called after each.
        """
        def rise(chosen: Sequence[Head]) -> Losses:
            found = self.rise(chosen)
            step()
            return found

        top, matched = rise(heads), [rise(draw) for draw in draws]
        result: dict[str, Any] = {"heads": [str(head) for head in heads], "rise": top.estimates(), "carries": None,
                                  "draws": [{"heads": [str(head) for head in draw], "rise": found.estimates()}
                                            for draw, found in zip(draws, matched, strict=True)]}
        if matched:
            result["excess"] = {name: _excess(getattr(top, name), np.stack([getattr(found, name) for found in matched]))
                                for name in Losses._fields}
            mean, error = result["excess"]["repeat"]
            whole = estimate(self.plain.repeat)
            result["carries"] = bool(mean > 2 * error and whole.mean < -2 * whole.error)
        return result


def _excess(top: np.ndarray, matched: np.ndarray) -> Estimate:
    """top [sequences] less matched [draws, sequences]."""
    paired = estimate(top - matched.mean(axis=0))
    draws = estimate(matched.mean(axis=1)).error if len(matched) > 1 else 0.0
    return Estimate(paired.mean, math.hypot(paired.error, draws))


def correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Of ranks (Spearman's), ties at their mean rank; 0 where either is constant or empty."""
    first, second = (_ranks(np.asarray(values, np.float64)) for values in (x, y))
    if not len(first) or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]
