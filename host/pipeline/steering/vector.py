"""Vectors from elsewhere, to be added to the residual stream: llama.cpp's control vectors, read and written.

A GGUF file of architecture `controlvector` has a tensor `direction.N`, float32 [hidden], for each layer N from 1 on
that it steers, added behind that layer, the first one being layer 0: what this pipeline does at site `residual` of
layer N. Layer 0 has no name in the format. Source: llama.cpp, `llama_adapter_cvec` and the loader of `common`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from gguf.constants import GGMLQuantizationType

from host.pipeline.fitting import REQUIRED, FitOption, Fitted
from host.pipeline.steering.added_vectors import AddedVectors
from models.checkpoint import Model
from models.errors import ArtefactError, ModelError, OptionError, printable
from models.formats.gguf_file import GgufFile, type_name
from models.output import check_output_file

__all__ = ["Vector", "read_control_vector", "write_control_vector"]

_ARCHITECTURE = "controlvector"
_DIRECTION = re.compile(r"direction\.(\d{1,9})")


class Vector(AddedVectors):
    """vectors: float [layers, hidden], added to the residual stream after each layer, times strength."""

    method = "vector"
    options = {"gguf": FitOption(Path, REQUIRED, "llama.cpp's control vector, fitted for this very model")}

    @classmethod
    def fit(cls, model: Model, *, gguf: Path) -> Fitted:  # type: ignore[override]  # `options` by name
        """See `Stage`: the vectors of a file. `OptionError` where they do not fit the model."""
        config = model.config
        found = read_control_vector(gguf)
        vectors = np.zeros((config.layers, config.hidden_size))
        for layer, direction in found.items():
            if layer >= config.layers or direction.size != config.hidden_size:
                raise OptionError(f"{printable(gguf.name)} has direction.{layer} of {direction.size} channels, and "
                                  f"{config.name} has layers 1 to {config.layers - 1} of {config.hidden_size}")
            vectors[layer] = direction
        return Fitted({"vectors": vectors}, {"layers": sorted(found)})


def read_control_vector(path: Path) -> dict[int, np.ndarray]:
    """float32 [hidden] by layer. `ArtefactError` for a file that is no control vector, or holds no finite numbers."""
    name = printable(path.name)
    try:
        file = GgufFile(path)
    except ModelError as error:
        raise ArtefactError(str(error)) from None
    found = {}
    for tensor, entry in file.items():
        if not (match := _DIRECTION.fullmatch(tensor)):
            raise ArtefactError(f"{name}: tensor {printable(tensor)} belongs to no control vector")
        if (layer := int(match[1])) < 1:
            raise ArtefactError(f"{name}: tensor {tensor}: directions are numbered from 1 on")
        if entry.type != GGMLQuantizationType.F32 or len(entry.shape) != 1:
            raise ArtefactError(f"{name}: tensor {tensor}: expected F32 in one dimension, found "
                                f"{type_name(entry.type)} {list(entry.shape)}")
        found[layer] = file.stored(tensor).view("<f4").copy()
        if not np.isfinite(found[layer]).all():
            raise ArtefactError(f"{name}: tensor {tensor}: expected finite numbers")
    if not found:
        raise ArtefactError(f"{name} has no direction: it is no control vector")
    return found


def write_control_vector(path: Path, vectors: np.ndarray, hint: str) -> None:
    """Vectors [layers, hidden] as a control vector; layers of zeros are left out.

    hint: the architecture of the model. `OptionError` for a vector at layer 0, for none at all, and where the file
    cannot be written.
    """
    from gguf import GGUFWriter  # late: it takes a while to import

    layers = [layer for layer, vector in enumerate(vectors) if vector.any()]
    if not layers or 0 in layers:
        raise OptionError("llama.cpp's control vectors have no name for layer 0: steer other layers" if layers else
                          "there is no vector to write: all are zero")
    check_output_file(path)
    writer = GGUFWriter(path, _ARCHITECTURE)
    writer.add_string(f"{_ARCHITECTURE}.model_hint", hint)
    writer.add_uint32(f"{_ARCHITECTURE}.layer_count", len(vectors) - 1)
    for layer in layers:
        writer.add_tensor(f"direction.{layer}", np.ascontiguousarray(vectors[layer], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
