"""What a model's sites hold while it reads a text: what methods are fitted on, and what reports look at.

A device stops at the points and the host reads (docs/program.md, "Stops"), so every device shows the same bits and
nothing looks into one.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from tqdm import tqdm

from host.devices.base import Device
from host.pipeline.host_steps import HostSteps
from host.pipeline.site import Point, Site, points_of
from host.runtime import Session
from models.checkpoint import Model
from models.float_twin import run_float
from models.formats.source import FloatModel
from models.golden.scalar import Scalar, to_float
from models.golden.tap import Tap

__all__ = ["SKIPPED", "Observer", "linear_inputs", "observe", "residuals"]

SKIPPED = 4  # first tokens of a window, whose residual is dominated by the start of text


class Observer:
    """Collects the values at points, in the float model's units; `looks` are for `HostSteps`."""

    def __init__(self, points: Collection[Point]):
        self._values: dict[Point, list[np.ndarray]] = {point: [] for point in points}
        self.looks = {point: [self._look] for point in points}

    def _look(self, point: Point, rows: np.ndarray, unit: Scalar) -> None:
        self._values[point].append(rows * to_float(unit)[:, None])

    def take(self) -> dict[Point, np.ndarray]:
        """All values so far, float64 [tokens, channels]; the observer is empty then."""
        taken = {point: np.concatenate(parts) for point, parts in self._values.items() if parts}
        for parts in self._values.values():
            parts.clear()
        return taken


def observe(model: Model, device: Device, points: Collection[Point], ids: Sequence[int], *,
            taps: Mapping[Point, Tap] | None = None, skipped: int = 0, on_tokens: Callable[[int], None] | None = None
            ) -> dict[Point, np.ndarray]:
    """Values at points over windows of the context: float64 [tokens, channels] each, in the order of the tokens.

    taps: what acts in the model meanwhile. skipped: tokens at the start of each window that are left out. on_tokens:
    as in `Session`.
    """
    observer = Observer(points)
    session = Session(model, device, taps=taps, host_steps=HostSteps(model, taps=taps, looks=observer.looks))
    run = session.score if any(point.site == Site.HEAD for point in points) else session.feed
    windows: list[dict[Point, np.ndarray]] = []
    for start in range(0, len(ids), session.context):
        session.reset()
        run(ids[start:start + session.context], on_tokens)
        windows.append(observer.take())
    return {point: np.concatenate([window[point][skipped:] for window in windows]) for point in points}


def residuals(model: Model, device: Device, ids: Sequence[int], *, description: str = "",
              skipped: int = SKIPPED) -> np.ndarray:
    """Residual stream after each layer over windows of the context: float64 [layers, tokens, hidden].

    The first `skipped` tokens of each window are left out.
    """
    points = points_of(Site.RESIDUAL, model.config)
    with tqdm(total=len(ids), desc=description, unit="tok", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        found = observe(model, device, points, ids, skipped=skipped, on_tokens=bar.update)
    return np.stack([found[point] for point in points])


def linear_inputs(model: FloatModel, ids: np.ndarray) -> list[dict[str, np.ndarray]]:
    """Inputs of the linear layers of the float twin over windows of the context: per layer, site -> [tokens, channels]
    (sites "qkv", "o", "gate_up", "down")."""
    seen: list[dict[str, list[np.ndarray]]] = [defaultdict(list) for _ in model.layers]
    for start in tqdm(range(0, len(ids), model.config.context), "observing", unit="window", file=sys.stderr,
                      disable=not sys.stderr.isatty()):
        run_float(model, ids[start:start + model.config.context],
                  observe=lambda layer, site, x: seen[layer][site].append(x))
    return [{site: np.concatenate(parts) for site, parts in layer.items()} for layer in seen]
