"""How well the float network's Jacobians foretell what a layer of the exact model makes of a change in its input.

The exact model rounds, so its own slope is found by finite differences: the last token's residual is moved by delta,
one layer runs on the emulator with what earlier tokens left in its cache, and the change behind it is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.host_steps import HostSteps
from host.pipeline.observing import observe
from host.pipeline.site import Point, Site, points_of
from host.runtime import Session
from models.checkpoint import Model
from models.machine.build import CPU

__all__ = ["Aligned", "aligned", "exact_change"]


class Aligned(NamedTuple):
    """Cosines with the exact change behind a layer, for one change in front of it of `step` times the residual's norm:
    of the passage's own Jacobian, of the mean one, of the change itself (the layer as the identity); and of what the
    two Jacobians say that the layer adds to it, with what it does add.
    """

    layer: int
    step: float
    own: float
    mean: float
    identity: float
    own_added: float
    mean_added: float


def aligned(model: Model, passages: Sequence[Sequence[int]], own: Sequence[np.ndarray], mean: np.ndarray,
            steps: Sequence[float], draws: int, seed: int = 0) -> list[Aligned]:
    """For each passage, layer and step, `draws` changes in random directions.

    own: each passage's Jacobians [layers - 1, hidden, hidden]; mean: those that gains are made of.
    """
    random, found = np.random.default_rng(seed), []
    for ids, slopes in zip(passages, own, strict=True):
        rows = _residuals(model, ids)
        for layer in range(model.config.layers - 1):
            changed = exact_change(model, layer + 1, rows[layer])
            norm = float(np.linalg.norm(rows[layer][-1])) * 2.0**-model.residual_fraction_bits
            for step in steps:
                for delta in random.standard_normal((draws, model.config.hidden_size)):
                    given, out = changed(delta / np.linalg.norm(delta) * step * norm)
                    foretold = [matrix[layer] @ given for matrix in (slopes, mean)]
                    found.append(Aligned(layer, step, *(_cosine(y, out) for y in foretold), _cosine(given, out),
                                         *(_cosine(y - given, out - given) for y in foretold)))
    return found


def exact_change(model: Model, layer: int, rows: np.ndarray):
    """A function from a change of the last token's residual in front of a layer to that change in the residual's
    integers and the one behind the layer, both in the units of the float model.

    rows: the residual in front of the layer, integers [tokens, hidden].
    """
    seen: list[np.ndarray] = []
    point = Point(layer, Site.RESIDUAL)
    steps = HostSteps(model, looks={point: [lambda _, values, unit: seen.append(values[-1])]})
    session = Session(model, EmulatorDevice(CPU), host_steps=steps, layers=range(layer, layer + 1))
    before, last, unit = rows[:-1], rows[-1], 2.0**-model.residual_fraction_bits
    for start in range(0, len(before), session.rows):
        part = before[start:start + session.rows]
        session.run_layers(part, [(0, len(part))])

    def run(row: np.ndarray) -> np.ndarray:
        session.position = len(before)
        session.run_layers(row[None], [(0, 1)])
        return seen[-1]

    plain = run(last)

    def changed(delta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        whole = np.rint(delta / unit).astype(np.int64)
        return whole * unit, (run(last + whole) - plain) * unit

    return changed


def _residuals(model: Model, ids: Sequence[int]) -> list[np.ndarray]:
    """The residual behind each layer in integers, [tokens, hidden]."""
    points = points_of(Site.RESIDUAL, model.config)
    found = observe(model, EmulatorDevice(CPU), points, ids)
    return [np.rint(np.ldexp(found[point], model.residual_fraction_bits)).astype(np.int64) for point in points]


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length else 0.0
