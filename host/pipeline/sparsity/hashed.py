"""Random numbers that depend on nothing but what they are drawn for: 64-bit hashes, equal on every machine."""

from __future__ import annotations

import numpy as np

from host.pipeline.site import Point, Site

__all__ = ["MOST_SEED", "keys", "row_digests"]

MOST_SEED = 1 << 24
"""Seeds are whole numbers from 0 to this: what float32 holds exactly."""

_STEP = np.uint64(0x9E3779B97F4A7C15)
_SITES = tuple(Site)


def keys(seed: int, point: Point, channels: int, digests: np.ndarray | None = None) -> np.ndarray:
    """int64 [rows, channels], at least 1: of a seed, a point, a channel and, where given, a row (its digest)."""
    place = np.array([(seed << 32) | (point.layer << 8) | _SITES.index(Site(point.site))], np.uint64)
    rows = _mixed(place if digests is None else _mixed(place) ^ digests)
    return ((_mixed(rows[:, None] + _counted(channels)) >> np.uint64(2)) | np.uint64(1)).astype(np.int64)


def row_digests(x: np.ndarray) -> np.ndarray:
    """uint64 [rows] of int64 [rows, channels]: what a row holds, in whatever batch and at whatever position."""
    return _mixed(x.astype(np.int64).view(np.uint64) + _counted(x.shape[-1])).sum(axis=-1, dtype=np.uint64)


def _counted(count: int) -> np.ndarray:
    return np.arange(1, count + 1, dtype=np.uint64) * _STEP


def _mixed(x: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser, modulo 2**64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
