"""Semi-nonnegative matrix factorisation: activations as nonnegative sums of a few sparse directions.

A ~ F G^T: columns of A [channels, rows] are activations, those of F [channels, features] directions, G [rows, features]
is nonnegative and says how much of each. In turn F = A G (G^T G + lambda I)^-1, of each column its largest entries
alone (winner takes all), and the multiplicative update of G. Source: "Decomposing MLP Activations into Interpretable
Features via Semi-Nonnegative Matrix Factorization"; the update: Ding, Li and Jordan, "Convex and Semi-Nonnegative
Matrix Factorizations".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Factors", "factorise", "updated_amounts", "winners"]

_RIDGE = 1e-3  # lambda, over the mean diagonal of G^T G
_START = 0.2  # added to the first memberships: a zero of G would stay one
_TINY = 1e-12


class Factors(NamedTuple):
    """directions: float64 [channels, features], columns of norm 1; amounts: float64 [rows, features], >= 0; error: what
    is left of the rows, over them, in squares."""

    directions: np.ndarray
    amounts: np.ndarray
    error: float


def factorise(rows: np.ndarray, features: int, *, share: float = 0.05, rounds: int = 100, seed: int = 0) -> Factors:
    """Factors of activations, float64 [rows, channels].

    share: of a direction's channels that may be other than zero, 0.01 to 0.05 in the source. In the first half of the
    rounds it falls from 1 to that: which entries win is only known once directions have formed. A feature that no row
    has any of starts anew, at the row that is explained worst. `ValueError` unless 1 <= features <= rows and
    0 < share <= 1.
    """
    if not 1 <= features <= len(rows):
        raise ValueError(f"features must be 1 to the {len(rows)} rows, got {features}")
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], got {share}")
    amounts = _memberships(rows, features, np.random.default_rng(seed)) + _START
    for turn in range(rounds):
        kept = share ** min(1.0, 2 * turn / rounds)
        directions = winners(_least_squares(rows, amounts), kept)
        norms = np.linalg.norm(directions, axis=0)
        directions, amounts = directions / np.maximum(norms, _TINY), amounts * norms
        if not norms.all():
            _revive(rows, directions, amounts, np.flatnonzero(norms == 0), kept)
        amounts = updated_amounts(rows, directions, amounts)
    left = rows - amounts @ directions.T
    return Factors(directions, amounts, float((left**2).sum() / max((rows**2).sum(), _TINY)))


def winners(directions: np.ndarray, share: float) -> np.ndarray:
    """Directions [channels, features] with the largest `share` of each column's entries, at least one; else zeros."""
    channels = len(directions)
    count = max(1, round(share * channels))
    least = np.sort(np.abs(directions), axis=0)[channels - count]
    return np.where(np.abs(directions) >= least, directions, 0)


def updated_amounts(rows: np.ndarray, directions: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """G after one update, which never raises the error at these directions.

    G * sqrt(((A^T F)+ + G (F^T F)-) / ((A^T F)- + G (F^T F)+)), + and - the positive and the negative parts.
    """
    matches, overlaps = rows @ directions, directions.T @ directions
    above = np.maximum(matches, 0) + amounts @ np.maximum(-overlaps, 0)
    below = np.maximum(-matches, 0) + amounts @ np.maximum(overlaps, 0)
    return amounts * np.sqrt(above / np.maximum(below, _TINY))


def _least_squares(rows: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    gram = amounts.T @ amounts
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram) + _TINY
    return np.linalg.solve(gram, amounts.T @ rows).T


def _memberships(rows: np.ndarray, features: int, random: np.random.Generator) -> np.ndarray:
    """To which of `features` rows, drawn far from one another (k-means++), each is nearest: 0 or 1."""
    squares = (rows**2).sum(axis=1)
    chosen = [int(random.integers(len(rows)))]
    away = np.full(len(rows), np.inf)
    nearest = np.zeros(len(rows), int)
    for feature in range(features):
        centre = rows[chosen[feature]]
        distance = np.maximum(squares - 2 * rows @ centre + centre @ centre, 0)
        nearest[distance < away] = feature
        away = np.minimum(away, distance)
        total = away.sum()
        chosen.append(int(random.choice(len(rows), p=away / total if total else None)))
    return np.eye(features)[nearest]


def _revive(rows: np.ndarray, directions: np.ndarray, amounts: np.ndarray, dead: np.ndarray, share: float) -> None:
    """Points dead features, in place, at the rows with the largest remainders."""
    left = rows - amounts @ directions.T
    worst = np.argsort((left**2).sum(axis=1))[::-1][:len(dead)]
    fresh = winners(left[worst].T, share)
    norms = np.linalg.norm(fresh, axis=0)
    directions[:, dead[:len(worst)]] = fresh / np.maximum(norms, _TINY)
    amounts[:, dead[:len(worst)]] = _TINY
    amounts[worst, dead[:len(worst)]] = norms
