"""Massive activations: the few channels of the residual that are hundreds of times as large as all others.

A clip must leave them alone, and what the residual's size decides must not count them. Their growth over the layers is
fitted by an exponentially modulated logarithm, A * exp(-lambda * s) * log(s) + K with s = gamma * layer + start.
Source: "Hidden Dynamics of Massive Activations in Transformer Training", which fits it over the steps of training.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["FACTOR", "LEAST_LAYERS", "Growth", "Largest", "fit_growth", "largest_values", "massive_channels"]

FACTOR = 1000.0
"""Times the median magnitude of its token: from there on a value is massive."""
LEAST_LAYERS = 6
"""Five parameters leave nothing to see in fewer points."""
_BOX = np.array([[-3.0, 1.0], [-2.0, 1.5], [-2.0, 1.5]])
"""Logarithms to base 10 between which rate, step and start are looked for."""
_POINTS, _STARTS, _ROUNDS = 21, 12, 40


class Largest(NamedTuple):
    """Of a layer's residual, the value that is largest beside its token's median magnitude: both, and where it is."""

    value: float
    median: float
    token: int
    channel: int

    @property
    def ratio(self) -> float:
        """How many times the median it is."""
        return abs(self.value) / self.median if self.median else float("inf") if self.value else 0.0


class Growth(NamedTuple):
    """A * exp(-rate * s) * log(s) + offset, s = step * layer + start; explained: the share of the variance, R**2."""

    amplitude: float
    rate: float
    step: float
    start: float
    offset: float
    explained: float


def largest_values(residual: np.ndarray) -> list[Largest]:
    """For each layer of residual float [layers, tokens, hidden] its most massive value."""
    found = []
    for rows in residual:
        medians = np.median(np.abs(rows), axis=1)
        ratios = _ratios(rows, medians)
        token, channel = np.unravel_index(int(ratios.argmax()), ratios.shape)
        found.append(Largest(float(rows[token, channel]), float(medians[token]), int(token), int(channel)))
    return found


def massive_channels(residual: np.ndarray, factor: float = FACTOR) -> np.ndarray:
    """bool [hidden]: channels of residual float [layers, tokens, hidden] that are massive anywhere."""
    massive = np.zeros(residual.shape[-1], bool)
    for rows in residual:
        massive |= (_ratios(rows, np.median(np.abs(rows), axis=1)) >= factor).any(axis=0)
    return massive


def fit_growth(ratios: np.ndarray) -> Growth | None:
    """The curve through a value a layer, by least squares; None for fewer than `LEAST_LAYERS`, or where nothing grows.

    For each rate, step and start of a grid the other two follow exactly; the grid is refined around the best few.
    """
    y = np.asarray(ratios, np.float64)
    if len(y) < LEAST_LAYERS or not np.isfinite(y).all() or np.ptp(y) == 0:
        return None
    first = _grid(_BOX, _POINTS)
    best = min((_refined(point, y) for point in first[np.argsort(_curves(first, y)[0])[:_STARTS]]),
               key=lambda point: _curves(point[None], y)[0][0])
    left, amplitude, mean = (values[0] for values in _curves(best[None], y))
    spread = np.square(y - y.mean()).sum()
    rate, step, start = map(float, 10.0**best)
    return Growth(float(amplitude), rate, step, start, float(y.mean() - amplitude * mean), float(1 - left / spread))


def _grid(box: np.ndarray, points: int) -> np.ndarray:
    axes = [np.linspace(low, high, points) for low, high in box]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _refined(point: np.ndarray, y: np.ndarray) -> np.ndarray:
    width = (_BOX[:, 1] - _BOX[:, 0]) / _POINTS
    for _ in range(_ROUNDS):
        near = np.clip(_grid(np.stack([point - width, point + width], axis=1), 5), _BOX[:, 0], _BOX[:, 1])
        point = near[int(_curves(near, y)[0].argmin())]
        width = width * 0.7
    return point


def _curves(points: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For points [n, 3] (logarithms of rate, step, start) what the best curve leaves, its amplitude, its mean at 1."""
    rate, step, start = (10.0**points.T)[:, :, None]
    s = step * np.arange(len(y)) + start
    basis = np.exp(-rate * s) * np.log(s)
    mean = basis.mean(axis=1)
    centred, wanted = basis - mean[:, None], y - y.mean()
    power = np.square(centred).sum(axis=1)
    amplitude = (centred @ wanted) / np.where(power > 0, power, 1)
    return np.square(wanted - amplitude[:, None] * centred).sum(axis=1), amplitude, mean


def _ratios(rows: np.ndarray, medians: np.ndarray) -> np.ndarray:
    """|rows| over their medians [tokens]; a token of zeros has none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(np.abs(rows) / medians[:, None], nan=0.0, posinf=np.inf)
