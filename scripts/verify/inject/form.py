"""The form of the pass that a fault meets: how many tokens it has, and where it stops for the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from host.pipeline.host_steps import Acting
from host.runtime import Session, Top
from models.golden.model import TapPoint
from models.golden.scalar import Scalar

__all__ = ["PLAIN", "Form", "drawn_form"]

_SITES = ("qkv", "o", "gate_up", "down", "residual")


def _unchanged(x: np.ndarray, unit: Scalar) -> np.ndarray:
    return x


class Form(NamedTuple):
    """rows: tokens of one sequence. points: where the host looks, so that STORE writes rows out and LOAD brings them
    back."""

    rows: int = 1
    points: tuple[TapPoint, ...] = ()

    def run(self, session: Session, ids: Sequence[int]) -> list[Top]:
        """Append tokens in one pass of this form."""
        acting = Acting(dict.fromkeys(self.points, (_unchanged,)), {})
        return session.advance([(0, ids)], own={0: acting} if self.points else {})

    def __str__(self) -> str:
        stops = ", ".join(f"{point.layer}.{point.site}" for point in self.points)
        return ", ".join(filter(None, [f"{self.rows} rows" if self.rows > 1 else "", stops and f"stops at {stops}"]))


PLAIN = Form()
"""A token, without stops."""


def drawn_form(rng: np.random.Generator, rows: int, layers: int) -> Form:
    """Plain half of the time; else up to `rows` rows, with up to three stops."""
    if rng.integers(2):
        return PLAIN
    points = [TapPoint(layer, site) for layer in range(layers) for site in _SITES] + [TapPoint(layers, "head")]
    chosen = rng.permutation(len(points))[:rng.integers(4)]
    return Form(int(rng.integers(1, rows + 1)), tuple(points[n] for n in sorted(chosen)))
