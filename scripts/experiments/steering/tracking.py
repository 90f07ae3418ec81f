"""How near a steered residual comes to its setpoint, at what effort: v·h behind the last layer, and the sum of |u|^2.

All on the emulator. What a stage adds is measured where it adds it, in the integers of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.observing import SKIPPED
from host.pipeline.placement import host_steps, place
from host.pipeline.site import Point
from host.pipeline.stage import Stage
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from host.pipeline.steering.lqr import LQR
from host.runtime import Session
from models.checkpoint import Model
from models.golden.scalar import Scalar
from models.machine.build import CPU

__all__ = ["Track", "follow", "follow_switch", "open_loop", "setpoint"]


class Track(NamedTuple):
    """projections: v·h behind the last layer, [windows, tokens]; effort: sum over the layers of |u|^2, likewise;
    additions: mean |u| behind each layer [layers]."""

    projections: np.ndarray
    effort: np.ndarray
    additions: np.ndarray

    def error(self, target: float, skipped: int = SKIPPED) -> float:
        """Root mean square distance from a setpoint, without the first tokens of each window."""
        return float(np.sqrt(np.square(self.projections[:, skipped:] - target).mean()))

    def energy(self, skipped: int = SKIPPED) -> float:
        """Mean effort of a token."""
        return float(self.effort[:, skipped:].mean())


class _Metered(Stage):
    """A stage, what it adds and where it leaves the last layer."""

    kind, method = "steering", "metered"

    def __init__(self, stage: Stage, direction: np.ndarray, last: int):
        super().__init__({})
        self.order, self.sites = stage.order, stage.sites  # type: ignore[misc]
        self._stage, self._direction, self._last = stage, direction, last
        self.rows: dict[int, list[np.ndarray]] = {}
        self.projections: list[np.ndarray] = []

    @staticmethod
    def shapes(config) -> dict[str, tuple[int, ...]]:
        return {}

    def points(self, model: Model) -> Sequence[Point]:
        return sorted({*self._stage.points(model), Point(self._last, self.sites[0])})

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        acting = point in self._stage.points(model)
        y = self._stage.apply(point, x, unit, model) if acting else x
        scale = 2.0**-model.residual_fraction_bits
        self.rows.setdefault(point.layer, []).append(np.square((y - x) * scale).sum(axis=1))
        if point.layer == self._last:
            self.projections.append(y * scale @ self._direction)
        return y


def follow(model: Model, stage: Stage, direction: np.ndarray, windows: Sequence[Sequence[int]]) -> Track:
    """What a stage does over windows of ids, of one length, each from its start; direction: v behind the last layer."""
    return follow_switch(model, stage, stage, direction, windows, 0)


def follow_switch(model: Model, first: Stage, then: Stage, direction: np.ndarray, windows: Sequence[Sequence[int]],
                  at: int) -> Track:
    """As `follow`, `first` on the first `at` tokens of each window and `then` on the others."""
    meters = [_Metered(stage, direction, model.config.layers - 1) for stage in (first, then)]
    steps = [host_steps(place([meter], model, "cpu"), model) for meter in meters]
    session, tracks = Session(model, EmulatorDevice(CPU), host_steps=steps[1]), []
    for ids in windows:
        session.reset()
        for part, own in zip((ids[:at], ids[at:]), steps, strict=True):
            session.set_host_steps(own)
            session.feed(part)
        efforts = [{layer: np.concatenate(rows) for layer, rows in meter.rows.items()} for meter in meters]
        by_layer = np.stack([np.concatenate([part[layer] if layer in part else np.zeros(size)
                                             for part, size in zip(efforts, (at, len(ids) - at), strict=True)])
                             for layer in range(model.config.layers)])
        tracks.append((np.concatenate([row for meter in meters for row in meter.projections]), by_layer))
        for meter in meters:
            meter.rows.clear()
            meter.projections.clear()
    projections, efforts = (np.stack(parts) for parts in zip(*tracks, strict=True))
    return Track(projections, efforts.sum(axis=1), np.sqrt(efforts).mean(axis=(0, 2)))


def setpoint(loop: LQR) -> float:
    """Where a loop wants v·h behind the last layer."""
    tensors = loop.tensors
    return float(tensors["directions"][-1] @ tensors["centres"][-1] + tensors["setpoints"][-1, 0] * loop.strength)


def open_loop(loop: LQR, weights: np.ndarray, energy: float) -> DifferenceOfMeans:
    """A constant vector along v at each layer, `weights` [layers] of each other, the sum of their squares `energy`."""
    sign = np.sign(loop.tensors["setpoints"] * loop.strength)
    scale = np.sqrt(energy / np.square(weights).sum())
    return DifferenceOfMeans({"vectors": sign * loop.tensors["directions"] * (weights * scale)[:, None]})
