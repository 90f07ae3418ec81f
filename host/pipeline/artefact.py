"""Stages from artefacts: which methods there are, and what a command line's artefacts do to a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.pipeline.stage import Stage, compose
from host.pipeline.steering_vector import SteeringVector
from host.pipeline.threshold import Threshold
from models.artefact_file import Artefact
from models.checkpoint import Model
from models.errors import ArtefactError, located
from models.golden.model import TapPoint
from models.golden.tap import Tap
from models.model_hash import model_hash

__all__ = ["METHODS", "load_stages"]

METHODS: dict[tuple[str, str], type[Stage]] = {
    ("sparsity", "teal"): Threshold,
    ("steering", "difference-of-means"): SteeringVector,
}


def load_stages(model: Model, *, sparsity: Sequence[str] = (), steer: Sequence[str] = ()) -> dict[TapPoint, Tap]:
    """Taps of the artefacts that a command line names; those of `steer` may end in :STRENGTH.

    All act: of several thresholds at one place the highest counts, several vectors are added. `ArtefactError` for a
    file that is damaged or was fitted to another model.
    """
    if not sparsity and not steer:
        return {}
    this = model_hash(model)
    asked = [("sparsity", path, 1.0) for path in sparsity] + [("steering", *_strength(item)) for item in steer]
    stages: dict[type[Stage], list[Stage]] = {}
    for kind, path, strength in asked:
        stage = _load(Path(path), kind, strength, model, this)
        stages.setdefault(type(stage), []).append(stage)
    return compose(method.join(found).taps(model) for method, found in stages.items())


def _load(path: Path, kind: str, strength: float, model: Model, this: str) -> Stage:
    artefact = Artefact(path)
    if artefact.kind != kind:
        raise ArtefactError(f"{path} is an artefact of kind {artefact.kind}, expected {kind}")
    if (kind, artefact.method) not in METHODS:
        raise ArtefactError(f"{path} uses the unknown {kind} method {artefact.method}")
    method = METHODS[kind, artefact.method]
    tensors = {name: artefact.take(name, shape) for name, shape in method.shapes(model.config).items()}
    with located(path):
        stage = method.load(tensors, strength)
    artefact.end(this)
    return stage


def _strength(item: str) -> tuple[str, float]:
    """Path and strength of PATH[:STRENGTH]."""
    path, colon, tail = item.rpartition(":")
    try:
        return (path, float(tail)) if colon else (item, 1.0)
    except ValueError:
        return item, 1.0
