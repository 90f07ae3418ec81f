"""What stages do to a model on a text, as the exact emulator runs it: likelihood, and zeros where masks act."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.host_steps import HostSteps, Look
from host.pipeline.placement import host_steps, place
from host.pipeline.site import LINEAR_INPUTS, Point, Site
from host.pipeline.stage import Stage
from host.runtime import Session
from host.scoring import perplexity, token_losses, total_nll
from models.checkpoint import Model
from models.golden.norm_quant import quantise
from models.golden.scalar import Scalar
from models.machine.build import CPU

__all__ = ["Measured", "Rows", "Sessions", "capture", "measure", "zero_points"]


class Rows(NamedTuple):
    """Values at a point: int64 [tokens, channels] in units of a scalar [tokens]."""

    rows: np.ndarray
    unit: Scalar


class Measured(NamedTuple):
    """perplexity: None where it leaves float64. zeros: share of int8 zeros at the points where stages make some.
    losses: -log p, in nats, of each token but the first."""

    perplexity: float | None
    nll: float
    zeros: float
    losses: tuple[float, ...]


class Sessions:
    """Sessions of a model on the emulator, kept for other stages with taps at the same points: to open one and to list
    its passes takes longer than to score a few hundred tokens."""

    def __init__(self, model: Model):
        self._model = model
        self._kept: dict[frozenset[Point], Session] = {}

    def of(self, stages: Sequence[Stage], looks: Mapping[Point, Sequence[Look]]) -> Session:
        """One under stages; it is these stages' until the next call."""
        placement = place(stages, self._model)
        steps, points = host_steps(placement, self._model, looks), frozenset(placement.taps)
        if points not in self._kept:
            self._kept[points] = Session(self._model, EmulatorDevice(CPU), taps=placement.taps, host_steps=steps)
        session = self._kept[points]
        session.set_host_steps(steps)
        session.set_taps(placement.taps)
        return session


def measure(model: Model, stages: Sequence[Stage], ids: Sequence[int], *, points: Collection[Point] | None = None,
            looks: Mapping[Point, Look] | None = None, sessions: Sessions | None = None) -> Measured:
    """Score `ids` under stages. points: linear inputs whose zeros count, by default those of the stages. looks: called
    with what else comes by, as `HostSteps`' are. sessions: of the model, to take one of; else a new one."""
    points = {point for stage in stages for point in zero_points(stage, model)} if points is None else points
    counts = np.zeros(2, np.int64)

    def look(point: Point, rows: np.ndarray, unit: Scalar) -> None:
        q = quantise(rows, unit)[0]
        counts[:] += np.count_nonzero(q == 0), q.size

    seen = dict(looks or {})
    watched = {point: [*([look] if point in points else []), *([seen[point]] if point in seen else [])]
               for point in {*points, *seen}}
    session = (sessions or Sessions(model)).of(stages, watched)
    losses: list[float] = []
    targets = np.asarray(ids[1:], np.int64)
    nll = total_nll(session, ids, on_logits=lambda logits: losses.extend(
        token_losses(logits, targets[len(losses):len(losses) + len(logits)]).tolist()))
    return Measured(perplexity(nll, len(ids) - 1), nll, float(counts[0] / max(counts[1], 1)), tuple(losses))


def zero_points(stage: Stage, model: Model) -> set[Point]:
    """The linear inputs that a mask makes sparse: where it acts, or `down` of a layer whose neurons it drops."""
    return {point if point.site in LINEAR_INPUTS else Point(point.layer, Site.DOWN) for point in stage.points(model)}


def capture(model: Model, points: Collection[Point], ids: Sequence[int]) -> Mapping[Point, Rows]:
    """What points hold in the plain model over windows of the context, as the stages there would get it."""
    parts: dict[Point, list[tuple[np.ndarray, Scalar]]] = {point: [] for point in points}

    def look(point: Point, rows: np.ndarray, unit: Scalar) -> None:
        parts[point].append((rows.copy(), unit))

    session = Session(model, EmulatorDevice(CPU), host_steps=HostSteps(model, looks={p: [look] for p in parts}))
    for start in range(0, len(ids), session.context):
        session.reset()
        session.feed(ids[start:start + session.context])
    return {point: Rows(np.concatenate([rows for rows, _ in found]),
                        Scalar(*(np.concatenate([getattr(unit, name) for _, unit in found]) for name in "me")))
            for point, found in parts.items()}
