"""Stages from artefacts, as a command line names them: ARTEFACT[:STRENGTH]."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from host.pipeline.artefact import Artefact
from host.pipeline.methods import Methods, find_methods
from host.pipeline.stage import Stage
from models.checkpoint import Model
from models.errors import ArtefactError, located
from models.model_hash import model_hash

__all__ = ["NamedStage", "load_stages"]


class NamedStage(NamedTuple):
    """A stage and what it was called by."""

    name: str
    stage: Stage


def load_stages(model: Model, names: Sequence[str], methods: Methods | None = None) -> list[NamedStage]:
    """The stages of artefacts for a model, each named ARTEFACT[:STRENGTH]; without one the strength is 1.

    methods: by default those of `find_methods`. `ArtefactError` for a file that is damaged or was fitted to another
    model.
    """
    if not names:
        return []
    methods = find_methods() if methods is None else methods
    this = model_hash(model)
    return [NamedStage(name, _load(*_strength(name), model, this, methods)) for name in names]


def _load(path: Path, strength: float, model: Model, this: str, methods: Methods) -> Stage:
    artefact = Artefact(path)
    method = methods.get((artefact.kind, artefact.method))
    if method is None:
        raise ArtefactError(f"{path} is an artefact of {artefact.kind} by {artefact.method}, which is no method here; "
                            f"known: {', '.join(f'{kind} by {name}' for kind, name in methods)}")
    tensors = {name: artefact.take(name, shape) for name, shape in method.shapes(model.config).items()}
    with located(path):
        stage = method.load(tensors, strength)
    artefact.end(this)
    return stage


def _strength(item: str) -> tuple[Path, float]:
    """Path and strength of PATH[:STRENGTH]."""
    path, colon, tail = item.rpartition(":")
    try:
        return (Path(path), float(tail)) if colon else (Path(item), 1.0)
    except ValueError:
        return Path(item), 1.0
