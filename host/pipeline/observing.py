"""The values at points of a model as a device computes them: what fitting and reports look at.

The device stops there and the host reads (docs/program.md, "Stops"), so every device shows the same bits, and nothing
looks into one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from host.devices.base import Device
from host.pipeline.host_steps import HostSteps
from host.runtime import Session
from models.checkpoint import Model
from models.golden.model import TapPoint
from models.golden.scalar import Scalar, to_float
from models.golden.tap import Tap

__all__ = ["Observer", "observe"]


class Observer:
    """Collects the values at points, in the float model's units: `values[point]`, float64 [rows, channels] a pass."""

    def __init__(self, points: Collection[TapPoint]):
        self.values: dict[TapPoint, list[np.ndarray]] = {point: [] for point in points}
        self.looks = {point: [self._look] for point in points}

    def _look(self, point: TapPoint, rows: np.ndarray, unit: Scalar) -> None:
        self.values[point].append(rows * to_float(unit)[:, None])

    def take(self) -> dict[TapPoint, np.ndarray]:
        """All values so far, float64 [tokens, channels]; the observer is empty then."""
        taken = {point: np.concatenate(parts) for point, parts in self.values.items() if parts}
        for parts in self.values.values():
            parts.clear()
        return taken


def observe(model: Model, device: Device, points: Collection[TapPoint], ids: Sequence[int], *,
            taps: dict[TapPoint, Tap] | None = None, on_tokens: Callable[[int], None] | None = None
            ) -> dict[TapPoint, np.ndarray]:
    """Values at points over windows of the context: float64 [tokens, channels] each, in the order of the tokens.

    taps: what acts in the model meanwhile. on_tokens: as in `Session`.
    """
    observer = Observer(points)
    session = Session(model, device, taps=taps, host_steps=HostSteps(model, taps=taps, looks=observer.looks))
    run = session.score if any(point.site == "head" for point in points) else session.feed
    for start in range(0, len(ids), session.context):
        session.reset()
        run(ids[start:start + session.context], on_tokens)
    return observer.take()
