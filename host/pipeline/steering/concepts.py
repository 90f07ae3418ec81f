"""Concepts in the residual stream: a direction each, and the score along it from which on the concept holds.

The direction of a concept is the difference between the mean of its own text and that of the others' means. The
threshold is the one of best balanced accuracy, the mean of the shares of either side that it puts right, on the tokens
that the directions are fitted to. Source: ActivationReasoning; there the features are those of a sparse autoencoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Concepts", "balanced_threshold", "concept_directions", "fit_concepts"]


class Concepts(NamedTuple):
    """directions: float [concepts, channels], of norm 1; thresholds, accuracies: float [concepts]."""

    directions: np.ndarray
    thresholds: np.ndarray
    accuracies: np.ndarray


def fit_concepts(states: Sequence[np.ndarray]) -> Concepts:
    """Of rows [tokens, channels] for each concept. A concept whose text is as the others' has a direction of zeros."""
    directions = concept_directions(states)
    found = []
    for index, direction in enumerate(directions):
        scores = [rows @ direction for rows in states]
        found.append(balanced_threshold(scores[index], np.concatenate(scores[:index] + scores[index + 1:])))
    thresholds, accuracies = np.array(found).T
    return Concepts(directions, thresholds, accuracies)


def concept_directions(states: Sequence[np.ndarray]) -> np.ndarray:
    """Directions of norm 1, float [concepts, channels]."""
    means = np.array([rows.mean(axis=0) for rows in states])
    apart = means - (means.sum(axis=0) - means) / (len(means) - 1)
    return apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-30)


def balanced_threshold(inside: np.ndarray, outside: np.ndarray) -> tuple[float, float]:
    """The score above which a token counts as inside, and its balanced accuracy; the lowest of those equally good.

    It lies halfway between two scores that are there.
    """
    scores = np.concatenate([inside, outside])
    order = np.argsort(scores, kind="stable")
    of_inside = (order < len(inside)).cumsum()[:-1] / len(inside)  # shares at or below each score
    of_outside = (order >= len(inside)).cumsum()[:-1] / len(outside)
    ranked = scores[order]
    accuracy = np.where(ranked[1:] > ranked[:-1], (1 - of_inside + of_outside) / 2, 0)
    best = int(np.argmax(accuracy))
    return float((ranked[best] + ranked[best + 1]) / 2), float(accuracy[best])
