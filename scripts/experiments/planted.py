"""Rows made of planted directions, and how well a dictionary names them."""

from __future__ import annotations

import numpy as np

__all__ = ["best_matches", "planted", "random_directions", "stretch"]


def planted(features: int, channels: int, rows: int, *, active: int, share: float = 1.0, noise: float = 0.0,
            seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """directions [channels, features] of norm 1, a `share` of each column's entries other than zero, and rows [rows,
    channels], sums of `active` of them, each 0.5 to 2 times, with noise of a deviation relative to the rows'."""
    random = np.random.default_rng(seed)
    directions = random_directions(features, channels, share, random)
    amounts = np.zeros((rows, features))
    for row in amounts:
        row[random.choice(features, active, replace=False)] = random.uniform(0.5, 2, active)
    values = amounts @ directions.T
    return directions, values + noise * values.std() * random.standard_normal(values.shape)


def random_directions(features: int, channels: int, share: float, random: np.random.Generator) -> np.ndarray:
    """Columns of norm 1 with as many entries other than zero: the null of a dictionary."""
    directions = np.zeros((channels, features))
    count = max(1, round(share * channels))
    for column in directions.T:
        column[random.choice(channels, count, replace=False)] = random.standard_normal(count)
    return directions / np.linalg.norm(directions, axis=0)


def best_matches(true: np.ndarray, found: np.ndarray) -> float:
    """The mean over true directions (columns) of the largest cosine with a found one."""
    cosines = (true / np.linalg.norm(true, axis=0)).T @ (found / np.maximum(np.linalg.norm(found, axis=0), 1e-12))
    return float(cosines.max(axis=1).mean())


def stretch(channels: int) -> np.ndarray:
    """A linear map of the channels whose axes differ by a factor of 20, symmetric."""
    axes, _ = np.linalg.qr(np.random.default_rng(7).standard_normal((channels, channels)))
    return axes * np.geomspace(1, 20, channels) @ axes.T
