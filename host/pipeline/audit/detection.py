"""How well a score tells two kinds of runs apart: area under the curve, and errors at a threshold set elsewhere."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from host.pipeline.audit.interval import Share

__all__ = ["FALSE_ALARMS", "Detected", "aucs", "detected"]

FALSE_ALARMS = 0.05
"""The share of plain runs above a threshold, where it is set."""
_RESAMPLES = 1000


class Detected(NamedTuple):
    """auc: the probability that a run of the kind looked for scores above a plain one, ties counted half; low, high:
    its 95 % interval. false, found: the shares of plain and of other runs above the threshold."""

    auc: float
    low: float
    high: float
    false: Share
    found: Share

    @classmethod
    def from_json(cls, stored: list[Any]) -> Detected:
        """From what JSON made of one."""
        auc, low, high, false, found = stored
        return cls(auc, low, high, Share(*false), Share(*found))

    def shown(self) -> str:
        """The area with its interval."""
        return f"{self.auc:.2f} [{self.low:.2f}, {self.high:.2f}]"


def aucs(scores: np.ndarray, plain: np.ndarray) -> np.ndarray:
    """Area under the curve of each column: scores [runs, columns] of the kind looked for, plain [runs, columns]."""
    ordered = np.sort(plain, axis=0)
    below = [np.searchsorted(ordered[:, column], scores[:, column], "left").sum() +
             np.searchsorted(ordered[:, column], scores[:, column], "right").sum() for column in range(scores.shape[1])]
    return np.array(below) / (2 * len(scores) * len(plain))


def detected(scores: np.ndarray, plain: np.ndarray, set_on: np.ndarray, seed: int = 0) -> Detected:
    """From scores [groups, runs], and plain ones of the same prompts; runs of a group share what was done to them, so
    that whole groups are drawn again for the interval. set_on: plain scores that nothing else uses; the threshold is
    their 1 - `FALSE_ALARMS` quantile."""
    threshold = float(np.quantile(set_on, 1 - FALSE_ALARMS))
    pairs = scores[:, :, None, None] - plain[None, None]
    wins = (pairs > 0).mean(axis=(1, 3)) + (pairs == 0).mean(axis=(1, 3)) / 2  # of group i's runs over j's plain ones
    groups = len(scores)
    counts = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), _RESAMPLES)
    again = np.einsum("ri,ij,rj->r", counts, wins, counts) / groups**2
    low, high = np.quantile(again, [0.025, 0.975])
    return Detected(float(wins.mean()), float(low), float(high), Share(int((plain > threshold).sum()), plain.size),
                    Share(int((scores > threshold).sum()), scores.size))
