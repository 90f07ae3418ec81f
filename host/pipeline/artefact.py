"""Artefacts of fitted stages on disk: one safetensors file, its kind and method in the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from host.pipeline.stage import Stage, compose
from host.pipeline.steering_vector import SteeringVector
from host.pipeline.threshold import Threshold
from models.checkpoint import Model
from models.errors import ModelError
from models.golden.model import TapPoint
from models.golden.tap import Tap

__all__ = ["METHODS", "load_stage", "load_stages", "save_artefact"]

METHODS: dict[tuple[str, str], type[Stage]] = {
    ("sparsity", "teal"): Threshold,
    ("steering", "difference-of-means"): SteeringVector,
}


def save_artefact(path: Path, kind: str, method: str, tensors: Mapping[str, np.ndarray],
                  notes: Mapping[str, str]) -> None:
    """Write fitted parameters; notes say from what they were fitted."""
    tensors = {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}
    save_file(tensors, path, metadata={"kind": kind, "method": method, **notes})


def load_stage(path: Path, kind: str, strength: float = 1.0) -> Stage:
    """The stage of an artefact, which must be of `kind`."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot read artefact {path}: {' '.join(str(error).split())}") from None
    found, method = metadata.get("kind", "unknown"), metadata.get("method", "unknown")
    if found != kind:
        raise ModelError(f"{path} is an artefact of kind {found}, expected {kind}")
    if (kind, method) not in METHODS:
        raise ModelError(f"{path} uses the unknown {kind} method {method}")
    try:
        return METHODS[kind, method].load(tensors, strength)
    except KeyError as error:
        raise ModelError(f"{path} lacks the tensor {error.args[0]}") from None


def load_stages(model: Model, *, sparsity: str | None, steer: str | None) -> dict[TapPoint, Tap]:
    """Taps of the artefacts that a command line names; `steer` may end in :STRENGTH."""
    taps = []
    if sparsity is not None:
        taps.append(load_stage(Path(sparsity), "sparsity").taps(model))
    if steer is not None:
        path, colon, tail = steer.rpartition(":")
        try:
            strength = float(tail) if colon else 1.0
        except ValueError:
            path, colon, strength = steer, "", 1.0
        taps.append(load_stage(Path(path if colon else steer), "steering", strength).taps(model))
    return compose(taps)
