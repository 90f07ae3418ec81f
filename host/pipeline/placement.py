"""Where stages run: in the fabric's taps, or on the CPU at a cut of the pass.

Stages at one point act in the order of `Order`, among equals as they were given. Those of one method are joined first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from host.pipeline.merge import merged
from host.pipeline.normalisation.norm import NORMALISED, Normalisation
from host.pipeline.site import TAP_SITES, Point, Site, check_point
from host.pipeline.stage import Order, Stage
from models.checkpoint import Model
from models.errors import ArtefactError, OptionError
from models.golden.tap import Tap

__all__ = ["PLACES", "Placement", "fabric_taps", "place"]

PLACES = ("auto", "fabric", "cpu")
_FLOW = tuple(Site)


class Placement(NamedTuple):
    """taps: of the points that the fabric serves. cpu: the stages of the others, in the order in which they act."""

    taps: Mapping[Point, Tap]
    cpu: Mapping[Point, Sequence[Stage]]

    def where(self, points: Sequence[Point]) -> str:
        """"fabric" or "cpu", "both" where a stage's points are divided, "nowhere" for none."""
        found = {"cpu" if point in self.cpu else "fabric" for point in points}
        return "both" if len(found) > 1 else found.pop() if found else "nowhere"

    def cuts(self, points: Sequence[Point] | None = None) -> int:
        """Cuts a token for the stages of these points (None: for all): one a point, but a norm and what acts on its
        result share theirs."""
        asked = {point for point in (self.cpu if points is None else points) if point in self.cpu}
        shared = {_norm_of(point) for point in asked} & asked
        return len(asked) - len(shared)


def place(stages: Sequence[Stage], model: Model, where: str = "auto") -> Placement:
    """Place stages on a model.

    where: "auto": a point goes to the fabric where all its stages lower to taps that merge into one with the same bits
    (`host.pipeline.merge`), else to the CPU; "cpu": all go there; "fabric": `OptionError` for what cannot. What acts on
    a linear input whose norm runs on the CPU runs there, too.
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
        acting = sorted(at[point], key=lambda stage: stage.order)
        if sum(stage.order == Order.NORM for stage in acting) > 1:
            raise ArtefactError(f"two norms at layer {point.layer}, {point.site}: use one of them")
        if all(isinstance(stage, Normalisation) and stage.in_fabric for stage in acting):
            continue  # the default
        tap = None if where == "cpu" or _norm_of(point) in cpu else _tap(point, acting, model)
        if tap is not None:
            taps[point] = tap
        elif where == "fabric":
            names = ", ".join(f"{stage.kind} by {stage.method}" for stage in acting)
            raise OptionError(f"the fabric cannot run {names} at layer {point.layer}, {point.site}: no one tap does it")
        else:
            cpu[point] = acting
    return Placement(taps, cpu)


def fabric_taps(placement: Placement) -> Mapping[Point, Tap]:
    """The taps of a placement that needs no cut; `OptionError` for one that does: no program has cuts."""
    for point, stages in placement.cpu.items():
        raise OptionError(f"{stages[0].kind} by {stages[0].method} must run on the CPU at layer {point.layer}, "
                          f"{point.site}, but no device here stops there")
    return placement.taps


def _joined(stages: Sequence[Stage]) -> list[Stage]:
    by_method: dict[type[Stage], list[Stage]] = {}
    for stage in stages:
        by_method.setdefault(type(stage), []).append(stage)
    return [stage for method, found in by_method.items() for stage in method.join(found)]


def _norm_of(point: Point) -> Point | None:
    """The site of the norm whose result a point's rows are."""
    for norm, result in NORMALISED.items():
        if point.site == result:
            return Point(point.layer, norm)
    return None


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
