"""The project's own checkpoint: machine integers, decided once at conversion; all downstream is integer.

A folder holds `model.json` (format version, config, exponents, provenance), `model.safetensors` and, where
the source had one, `tokenizer.json`. Tensors, for layer N and each matrix M of `models.config.LINEARS`:

    layers.N.M.trits     uint8 [out, ceil(in / 5)]  five trits a byte, row by row (models.ternary)
    scales               uint32 [layers, 7]         value of trit 1 of each matrix, scalar words
    layers.N.gain.G      int16 [channels]           gains of norm G, value g * 2**-e, e in `gain_exponents`
    gain.final           int16 [hidden]             likewise
    embedding            int16 [vocab, hidden]      value m * 2**-e with the row's e
    embedding.exponents  int8 [vocab]
    head                 int8 [vocab, hidden]       value q * scale of the row
    head.scales          uint32 [vocab]             scalar words

Scalar words are defined in models.machine.scalar_format. A tied head is stored too, the int8 quantisation of the
int16 embedding rows: whatever a device streams is mapped from the file, nothing is made while loading. Every
tensor starts at a multiple of 64 bytes in the file; tensors named padding.N fill the gaps.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from models.config import LINEARS, PRESETS, ModelConfig, resolve_model
from models.errors import ModelError, located
from models.integers import EXPONENT_LIMIT, HEAD_LEVELS
from models.model import Gains, Layer, Model, TernaryMatrix
from models.safetensors_file import PADDING, SafetensorsFile, write_safetensors
from models.ternary import check_packed, packed_width

__all__ = ["RESIDUAL_LIMIT", "TOKENIZER", "Gains", "Layer", "Model", "TernaryMatrix", "check_target",
           "load_config", "load_model", "save_model"]

RESIDUAL_LIMIT = 60
"""The residual's fraction bits lie within ± this."""

TOKENIZER = "tokenizer.json"

_FORMAT, _VERSION = "tritloom", 2
_JSON, _TENSORS = "model.json", "model.safetensors"
_NORMALISED = 1 << 23  # the top bit of a scalar word's mantissa


def load_config(name_or_dir: str | Path) -> ModelConfig:
    """The shape of a preset, of `demo` or of a model folder; weights are not touched."""
    if str(name_or_dir) in PRESETS and not Path(name_or_dir).is_dir():
        return PRESETS[str(name_or_dir)]
    path = resolve_model(name_or_dir) / _JSON
    return _config(path, _read_json(path))


def load_model(name_or_dir: str | Path) -> Model:
    """Load a model folder (or `demo`), checking every shape and value. `ModelError` names what is wrong."""
    folder = resolve_model(name_or_dir)
    path = folder / _JSON
    metadata = _read_json(path)
    config = _config(path, metadata)
    bits = _integer(path, metadata, "residual_fraction_bits", RESIDUAL_LIMIT)
    exponents = metadata.get("gain_exponents")
    if not isinstance(exponents, dict):
        raise ModelError(f"{path}: gain_exponents: expected an object, found {exponents!r}")
    tensors = _Tensors(SafetensorsFile(folder / _TENSORS))

    def gains(name: str, size: int) -> Gains:
        return tensors.take(name, np.int16, size), _integer(path, exponents, name, EXPONENT_LIMIT)

    layers, scales = [], tensors.scales("scales", config.layers, len(LINEARS))
    for index in range(config.layers):
        linears = {}
        for (name, (outputs, inputs)), scale in zip(config.linear_shapes.items(), scales[index], strict=True):
            packed = tensors.packed(f"layers.{index}.{name}.trits", outputs, inputs)
            linears[name] = TernaryMatrix(packed, inputs, scale)
        layers.append(Layer(linears, {name: gains(f"layers.{index}.gain.{name}", size)
                                      for name, size in config.gain_sizes.items()}))
    vocab, hidden = config.vocab_size, config.hidden_size
    model = Model(
        config, layers, gains("gain.final", hidden), tensors.take("embedding", np.int16, vocab, hidden),
        tensors.take("embedding.exponents", np.int8, vocab, limit=EXPONENT_LIMIT),
        tensors.take("head", np.int8, vocab, hidden, limit=HEAD_LEVELS), tensors.scales("head.scales", vocab), bits,
        metadata.get("provenance", {}), folder)
    tensors.end()
    return model


def save_model(model: Model, folder: str | Path, *, tokenizer: Path | None = None) -> None:
    """Write a model folder, whole or not at all, with a copy of `tokenizer` (a `tokenizer.json`).

    An earlier model in `folder` is replaced; `ModelError` where the folder holds anything else.
    """
    folder = Path(folder)
    check_target(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            write_safetensors(new / _TENSORS, _stored_tensors(model))
            (new / _JSON).write_text(json.dumps(_stored_metadata(model), indent=1) + "\n", encoding="utf-8")
            if tokenizer is not None:
                shutil.copyfile(tokenizer, new / TOKENIZER)
            if folder.exists():
                folder.rename(Path(scratch) / "old")
            new.rename(folder)
    except OSError as error:
        raise ModelError(f"{folder} cannot be written: {error}") from None


def check_target(folder: Path) -> None:
    """`ModelError` where `save_model` would refuse to write: ask before long work."""
    if folder.exists():
        found = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
        if foreign := sorted(found - {_JSON, _TENSORS, TOKENIZER}):
            raise ModelError(f"{folder} exists and holds {foreign[0]}, which is not part of a model")


def _stored_tensors(model: Model) -> dict[str, np.ndarray]:
    scales = [[layer.linears[name].scale for name in LINEARS] for layer in model.layers]
    named = {"embedding": model.embedding, "embedding.exponents": model.embedding_exponents, "head": model.head,
             "head.scales": model.head_scales, "gain.final": model.final_gains[0],
             "scales": np.array(scales, np.uint32)}
    for index, layer in enumerate(model.layers):
        for name, matrix in layer.linears.items():
            named[f"layers.{index}.{name}.trits"] = matrix.packed
        for name, (mantissas, _) in layer.gains.items():
            named[f"layers.{index}.gain.{name}"] = mantissas
    return named


def _stored_metadata(model: Model) -> dict[str, object]:
    exponents = {"gain.final": model.final_gains[1]}
    for index, layer in enumerate(model.layers):
        exponents |= {f"layers.{index}.gain.{name}": exponent for name, (_, exponent) in layer.gains.items()}
    return {"format": _FORMAT, "version": _VERSION, "config": model.config.to_json(),
            "residual_fraction_bits": model.residual_fraction_bits, "gain_exponents": exponents,
            "provenance": model.provenance}


def _read_json(path: Path) -> dict:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        hint = "; convert it with python -m models.convert" if (path.parent / "config.json").exists() else ""
        raise ModelError(f"{path.parent} is not a model of this project: it has no {_JSON}{hint}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from None
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise ModelError(f"{path}: expected a model of format {_FORMAT!r}")
    if data.get("version") != _VERSION:
        raise ModelError(f"{path}: expected format version {_VERSION}, found {data.get('version')!r}")
    return data


def _config(path: Path, metadata: dict) -> ModelConfig:
    with located(path):
        return ModelConfig.from_json(metadata.get("config"))


def _integer(path: Path, values: dict, name: str, limit: int) -> int:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > limit:
        raise ModelError(f"{path}: {name}: expected an integer within ±{limit}, found {value!r}")
    return value


class _Tensors:
    """Takes tensors out of a file by name, type and shape; `end` refuses what nobody took."""

    def __init__(self, file: SafetensorsFile):
        self.file = file
        self.left = {name for name in file if not name.startswith(PADDING)}

    def take(self, name: str, dtype: type, *shape: int, limit: int | None = None) -> np.ndarray:
        if name not in self.file:
            raise self._error(name, "is missing")
        self.left.discard(name)
        array = self.file.stored(name)
        if array.dtype != dtype or array.shape != shape:
            raise self._error(name, f"expected {np.dtype(dtype)} {list(shape)}, "
                                    f"found {array.dtype} {list(array.shape)}")
        if limit is not None and max(-int(array.min()), int(array.max())) > limit:
            raise self._error(name, f"expected values within ±{limit}, found {array.min()} to {array.max()}")
        return array

    def scales(self, name: str, *shape: int) -> np.ndarray:
        words = self.take(name, np.uint32, *shape)
        if ((words != 0) & (words & _NORMALISED == 0)).any():
            raise self._error(name, "expected scalar words, found a mantissa that is not normalised")
        return words

    def packed(self, name: str, outputs: int, inputs: int) -> np.ndarray:
        trits = self.take(name, np.uint8, outputs, packed_width(inputs))
        with located(f"{self.file.path}: tensor {name}"):
            check_packed(trits, inputs)
        return trits

    def end(self) -> None:
        if self.left:
            raise self._error(min(self.left), "does not belong to a model of this config")

    def _error(self, name: str, what: str) -> ModelError:
        return ModelError(f"{self.file.path}: tensor {name}: {what}")
