"""Where stages run: in the fabric's taps, or on the CPU at a cut of the pass.

Stages at one point act in the order of `Order`, among equals as they were given. Those of one family are joined first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from host.compiler.cuts import INPUT_STEP, cuts_of
from host.pipeline.activation.function import ActivationFunction
from host.pipeline.host_steps import Acting, HostSteps, Look
from host.pipeline.merge import merged
from host.pipeline.normalisation.norm import Normalisation
from host.pipeline.sequence_stage import SequenceStage
from host.pipeline.site import NORM_GAINS, TAP_SITES, Point, Site, check_point
from host.pipeline.stage import Order, Stage
from models.checkpoint import Model
from models.errors import ArtefactError, OptionError
from models.golden.activations import Activation
from models.golden.model import RowNorm, RowStage
from models.golden.scalar import Scalar
from models.golden.tap import Tap
from models.model import Gains

__all__ = ["PLACES", "Placement", "acting_alone", "host_steps", "place"]

PLACES = ("auto", "fabric", "cpu")
_FLOW = tuple(Site)


class Placement(NamedTuple):
    """taps: of the points that the fabric serves. cpu: the stages of the others, in the order in which they act.
    layers: of the model."""

    taps: Mapping[Point, Tap]
    cpu: Mapping[Point, Sequence[Stage]]
    layers: int

    def where(self, points: Sequence[Point]) -> str:
        """"fabric" or "cpu", "both" where a stage's points are divided, "nowhere" for none."""
        found = {"cpu" if point in self.cpu else "fabric" for point in points}
        return "both" if len(found) > 1 else found.pop() if found else "nowhere"

    def cuts(self, points: Sequence[Point] | None = None) -> int:
        """Cuts a token for the stages of these points (None: for all); points of one step share theirs."""
        asked = [point for point in (self.cpu if points is None else points) if point in self.cpu]
        return len(cuts_of(asked, range(self.layers)))


def place(stages: Sequence[Stage], model: Model, where: str = "auto") -> Placement:
    """Place stages on a model.

    where: "auto": a point goes to the fabric where all its stages lower to taps that merge into one with the same bits
    (`host.pipeline.merge`), else to the CPU; "cpu": all go there; "fabric": `OptionError` for what cannot. What acts on
    a linear input that the CPU makes for another stage runs there, too.
    """
    if where not in PLACES:
        raise OptionError(f"unknown place {where!r}; known: {', '.join(PLACES)}")
    at: dict[Point, list[Stage]] = defaultdict(list)
    for stage in _joined(stages):
        for point in stage.points(model):
            check_point(point, model.config)
            at[point].append(stage)
    taps: dict[Point, Tap] = {}
    cpu: dict[Point, list[Stage]] = {}
    for point in sorted(at, key=lambda point: (point.layer, _FLOW.index(point.site))):  # a norm before its result
        there = sorted(at[point], key=lambda stage: stage.order)
        if sum(stage.order == Order.NORM for stage in there) > 1:
            raise ArtefactError(f"two norms at layer {point.layer}, {point.site}: use one of them")
        if sum(stage.order == Order.ACTIVATION for stage in there) > 1:
            raise ArtefactError(f"two activation functions at layer {point.layer}: use one of them")
        if all(isinstance(stage, Normalisation) and stage.in_fabric for stage in there):
            continue  # the default
        tap = None if where == "cpu" or _made_there(point, cpu) else _tap(point, there, model)
        if tap is not None:
            taps[point] = tap
        elif where == "fabric":
            names = ", ".join(f"{stage.kind} by {stage.method}" for stage in there)
            raise OptionError(f"the fabric cannot run {names} at layer {point.layer}, {point.site}: no one tap does it")
        else:
            cpu[point] = there
    return Placement(taps, cpu, model.config.layers)


def host_steps(placement: Placement, model: Model, looks: Mapping[Point, Sequence[Look]] | None = None) -> HostSteps:
    """What the host computes for a placement's stages on the CPU, and who looks on."""
    stages, norms, activations, begins = _acting(placement, model)
    return HostSteps(model, stages=stages, norms=norms, activations=activations, taps=placement.taps, looks=looks,
                     begins=begins)


def acting_alone(stages: Sequence[Stage], model: Model) -> Acting:
    """Stages that all run on the CPU, for `Session.advance`."""
    return _acting(place(stages, model, "cpu"), model)


def _acting(placement: Placement, model: Model) -> Acting:
    stages: dict[Point, list[RowStage]] = {}
    norms: dict[Point, RowNorm] = {}
    activations: dict[Point, Activation] = {}
    remembering = {id(stage): stage.fresh() for there in placement.cpu.values() for stage in there
                   if isinstance(stage, SequenceStage)}
    for point, there in placement.cpu.items():
        for given in there:
            stage = remembering.get(id(given), given)
            if isinstance(stage, Normalisation):
                gains = model.layers[point.layer].gains[NORM_GAINS[point.site]]
                norms[point] = partial(_normalised, stage, point, gains, model)
            elif isinstance(stage, ActivationFunction):
                activations[point] = partial(stage.activated, point)
            else:
                stages.setdefault(point, []).append(partial(_applied, stage, point, model))
    return Acting(stages, norms, activations, [stage.begin for stage in remembering.values()])


def _applied(stage: Stage, point: Point, model: Model, x: np.ndarray, unit: Scalar) -> np.ndarray:
    return stage.apply(point, x, unit, model)


def _normalised(stage: Normalisation, point: Point, gains: Gains, model: Model, x: np.ndarray, unit: Scalar
                ) -> tuple[np.ndarray, Scalar]:
    return stage.normalise(point, x, unit, gains, model)


def _joined(stages: Sequence[Stage]) -> list[Stage]:
    families: dict[type[Stage], list[Stage]] = {}
    for stage in stages:
        families.setdefault(stage.family, []).append(stage)
    return [stage for family, found in families.items() for stage in family.join(found)]


def _made_there(point: Point, cpu: Mapping[Point, Sequence[Stage]]) -> bool:
    """Whether the CPU makes the input at a point anyway, for what acts before it in the same step."""
    step = INPUT_STEP.get(point.site)
    return any(Point(point.layer, site) in cpu for site in Site if step and INPUT_STEP.get(site) == step)


def _tap(point: Point, stages: Sequence[Stage], model: Model) -> Tap | None:
    if point.site not in TAP_SITES:
        return None
    tap: Tap | None = None
    for stage in stages:
        lowered = stage.lower(point, model)
        tap = lowered if tap is None or lowered is None else merged(tap, lowered)
        if tap is None:
            return None
    return tap
