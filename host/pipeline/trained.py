"""Stages that were trained with their model: what `models.train` leaves beside its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from host.pipeline.fitting import REQUIRED, FitOption, Fitted
from models.checkpoint import Model
from models.errors import ModelError, OptionError
from models.formats import read_checkpoint
from models.model_hash import model_hash
from models.quantise import quantise_model
from models.safetensors_file import SafetensorsFile

__all__ = ["TRAINED_OPTIONS", "fit_trained", "trained_tensors"]

TRAINED_OPTIONS: Mapping[str, FitOption] = MappingProxyType({
    "checkpoint": FitOption(Path, REQUIRED, "folder of models.train that the model was converted from")})


def fit_trained(model: Model, checkpoint: Path, method: str, trained: str, shapes: Mapping[str, tuple[int, ...]]
                ) -> Fitted:
    """`trained_tensors` of a method; `OptionError` where `trained`, what the model was trained with, is another."""
    if trained != method:
        raise OptionError(f"{model.folder or 'the model'} was trained with {trained}, not {method}")
    return Fitted(trained_tensors(model, checkpoint, method, shapes))


def trained_tensors(model: Model, checkpoint: Path, method: str, shapes: Mapping[str, tuple[int, ...]]
                    ) -> dict[str, np.ndarray]:
    """The float32 tensors of METHOD.safetensors in a training folder.

    `OptionError` where the folder has none, or `model` was not converted from it; `ModelError` where a tensor is not
    as `shapes` says, or not finite.
    """
    path = checkpoint / f"{method}.safetensors"
    if not path.is_file():
        raise OptionError(f"{checkpoint} has no {path.name}: it was not trained with {method}")
    file = SafetensorsFile(path)
    found = {name: (entry.dtype, entry.shape) for name, entry in file.items()}
    wanted = {name: ("F32", tuple(shape)) for name, shape in shapes.items()}
    for name in sorted({*found, *wanted}):
        if found.get(name) != wanted.get(name):
            raise ModelError(f"{path}: tensor {name}: expected {_shown(wanted.get(name))}, found "
                             f"{_shown(found.get(name))}")
    tensors = {name: np.array(file.stored(name)) for name in wanted}
    for name, values in tensors.items():
        if not np.isfinite(values).all():
            raise ModelError(f"{path}: tensor {name}: expected finite numbers")
    if model_hash(quantise_model(read_checkpoint(checkpoint))) != model_hash(model):
        raise OptionError(f"{model.folder or 'the model'} was not converted from {checkpoint}: its numbers are others")
    return tensors


def _shown(entry: tuple[str, tuple[int, ...]] | None) -> str:
    return "none" if entry is None else f"{entry[0]} {list(entry[1])}"
