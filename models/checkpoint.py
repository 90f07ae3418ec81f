"""The project's own checkpoint: machine integers, decided once at conversion; all downstream is integer.

A folder holds `model.json` (format version, config, exponents, provenance, what goes around prompts, control tokens),
`model.safetensors` and, where the source had them, `tokenizer.json` and `chat.json` (`models.vocabulary.parts`).
Tensors, for layer N and each matrix M of `models.config.LINEARS`:

    layers.N.M.trits     uint8 [out, ceil(in / 5)]  five trits a byte, row by row (models.ternary)
    scales               uint32 [layers, 7]         value of trit 1 of each matrix, scalar words
    layers.N.gain.G      int16 [channels]           gains of norm G, value g * 2**-e, e in `gain_exponents`
    gain.final           int16 [hidden]             likewise
    embedding            int16 [vocab, hidden]      value m * 2**-e with the row's e
    embedding.exponents  int8 [vocab]
    head                 int8 [vocab, hidden]       value q * scale of the row
    head.scales          uint32 [vocab]             scalar words

With scales by group (`models.ternary_groups`), of the layers' matrices (config `grouped`) and of the vocabulary
(`grouped_tables`):

    layers.N.M.trits      uint8 [out, in / 4]       two bits a trit, group by group
    layers.N.M.mantissas  int16 [out, in / 128]     of the scales of each row's groups
    scales                uint32 [layers, 7]        value of one unit of each matrix' shifted sums
    shifts                uint8 [layers, 7]         bits by which these are shifted
    embedding.trits       uint8 [vocab, hidden / 4]
    embedding.mantissas   int16 [vocab, hidden / 128]  value trit * mantissa * 2**-e with the row's e
    head.trits, head.mantissas                      likewise, where the head is not tied

Scalar words are defined in models.machine.scalar_format. A tied head is stored too, the int8 quantisation of the
int16 embedding rows: whatever a device streams is mapped from the file, nothing is made while loading. Every
tensor starts at a multiple of 64 bytes in the file; tensors named padding.N fill the gaps.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.checkpoint_writer import (
    CHAT,
    FORMAT,
    METADATA,
    TENSORS,
    TOKENIZER,
    VERSION,
    check_target,
    new_checkpoint,
    tensor_layout,
)
from models.config import LINEARS, PRESETS, ModelConfig
from models.errors import ModelError, located
from models.generation import checked_generation
from models.integers import EXPONENT_LIMIT, HEAD_LEVELS
from models.json_file import read_object
from models.model import Gains, GroupedMatrix, GroupedTable, Layer, Matrix, Model, TernaryMatrix
from models.safetensors_file import PADDING, SafetensorsFile
from models.store.naming import model_folder
from models.ternary import check_packed
from models.ternary_groups import MANTISSA_MAX, SHIFT_LIMIT, check_groups
from models.vocabulary.control_tokens import checked_control_tokens
from models.vocabulary.parts import Around, TextParts

__all__ = ["CHAT", "RESIDUAL_LIMIT", "TOKENIZER", "Gains", "Layer", "Model", "TernaryMatrix", "check_target",
           "load_around", "load_config", "load_control_tokens", "load_generation", "load_model", "save_model"]

RESIDUAL_LIMIT = 60
"""The residual's fraction bits lie within ± this."""

_NORMALISED = 1 << 23  # the top bit of a scalar word's mantissa


def load_config(name_or_dir: str | Path) -> ModelConfig:
    """The shape of a preset, or of a model by any of its names (`models.store.naming`); weights are not touched."""
    if str(name_or_dir) in PRESETS and not Path(name_or_dir).is_dir():
        return PRESETS[str(name_or_dir)]
    path = model_folder(name_or_dir) / METADATA
    return _config(path, _read_metadata(path))


def load_around(name_or_dir: str | Path) -> Around:
    """What goes around prompts of a model folder; of a folder that does not say, the config's `bos_id` before them."""
    path = model_folder(name_or_dir) / METADATA
    metadata = _read_metadata(path)
    config = _config(path, metadata)
    if "prompt" not in metadata:
        return Around(() if config.bos_id is None else (config.bos_id,))
    with located(path):
        return Around.from_json(metadata["prompt"], config.vocab_size)


def load_control_tokens(name_or_dir: str | Path) -> dict[str, int]:
    """Ids of a model folder's control tokens (`models.vocabulary.control_tokens`) by name; none where it lists none."""
    path = model_folder(name_or_dir) / METADATA
    metadata = _read_metadata(path)
    with located(path):
        return checked_control_tokens(metadata.get("magic", {}), _config(path, metadata).vocab_size)


def load_generation(name_or_dir: str | Path) -> dict[str, float]:
    """How a model folder's makers would have its text sampled (`models.generation`); empty where they do not say."""
    path = model_folder(name_or_dir) / METADATA
    with located(path):
        return checked_generation(_read_metadata(path).get("generation", {}))


def load_model(name_or_dir: str | Path) -> Model:
    """Load a model by any of its names (`models.store.naming`), checking every shape and value.

    `ModelError` names what is wrong.
    """
    folder = model_folder(name_or_dir)
    path = folder / METADATA
    metadata = _read_metadata(path)
    config = _config(path, metadata)
    bits = _integer(path, metadata, "residual_fraction_bits", RESIDUAL_LIMIT)
    exponents = metadata.get("gain_exponents")
    if not isinstance(exponents, dict):
        raise ModelError(f"{path}: gain_exponents: expected an object, found {exponents!r}")
    tensors = _Tensors(SafetensorsFile(folder / TENSORS), config)

    def gains(name: str) -> Gains:
        return tensors.take(name), _integer(path, exponents, name, EXPONENT_LIMIT)

    layers, scales = [], tensors.scales("scales")
    shifts = tensors.take("shifts", limit=SHIFT_LIMIT) if config.grouped else np.zeros(scales.shape, np.uint8)
    for index in range(config.layers):
        linears = {name: tensors.matrix(f"layers.{index}.{name}", inputs, scale, int(shift))
                   for (name, (_, inputs)), scale, shift in zip(config.linear_shapes.items(), scales[index],
                                                                shifts[index], strict=True)}
        layers.append(Layer(linears, {name: gains(f"layers.{index}.gain.{name}") for name in config.gain_sizes}))
    embedding: np.ndarray | GroupedTable
    head: np.ndarray | GroupedTable
    if config.grouped_tables:
        embedding = tensors.table("embedding")
        head = embedding if config.tied_head else tensors.table("head")
    else:
        embedding, head = tensors.take("embedding"), tensors.take("head", limit=HEAD_LEVELS)
    model = Model(
        config, layers, gains("gain.final"), embedding, tensors.take("embedding.exponents", limit=EXPONENT_LIMIT), head,
        tensors.scales("head.scales"), bits, metadata.get("provenance", {}), folder)
    tensors.end()
    return model


def save_model(model: Model, folder: str | Path, *, text: TextParts | None = None) -> None:
    """Write a model folder, whole or not at all, with its tokenizer and chat format where there are such.

    An earlier model in `folder` is replaced; `ModelError` where the folder holds anything else.
    """
    with new_checkpoint(folder, model.config, text=text) as writer:
        for index, layer in enumerate(model.layers):
            writer.layer(index, layer)
        writer.vocabulary(0, model.embedding, model.embedding_exponents, model.head, model.head_scales)
        writer.finish(model.final_gains, model.residual_fraction_bits, model.provenance)


def _read_metadata(path: Path) -> dict:
    if not path.exists():
        raise ModelError(f"{path.parent} is not a model of this project: it has no {METADATA}")
    data = read_object(path)
    if data.get("format") != FORMAT:
        raise ModelError(f"{path}: expected a model of format {FORMAT!r}")
    if data.get("version") != VERSION:
        raise ModelError(f"{path}: expected format version {VERSION}, found {data.get('version')!r}")
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
    """Takes the tensors of a model out of a file, by name; `end` refuses what nobody took."""

    def __init__(self, file: SafetensorsFile, config: ModelConfig):
        self.file, self.config = file, config
        self.left = {name for name in file if not name.startswith(PADDING)}
        found = file["scales"].shape if "scales" in file else ()
        if found != (expected := (config.layers, len(LINEARS))):  # before a billion layers are listed
            raise self._error("scales", f"expected shape {list(expected)}, found {list(found)}")
        self.layout = tensor_layout(config)

    def take(self, name: str, limit: int | None = None) -> np.ndarray:
        if name not in self.file:
            raise self._error(name, "is missing")
        self.left.discard(name)
        (dtype, shape), found = self.layout[name], self.file[name]
        if (found.dtype, found.shape) != (dtype, shape):
            raise self._error(name, f"expected {dtype} {list(shape)}, found {found.dtype} {list(found.shape)}")
        array = self.file.stored(name)
        if limit is not None and max(-int(array.min()), int(array.max())) > limit:
            raise self._error(name, f"expected values within ±{limit}, found {array.min()} to {array.max()}")
        return array

    def scales(self, name: str) -> np.ndarray:
        words = self.take(name)
        if ((words != 0) & (words & _NORMALISED == 0)).any():
            raise self._error(name, "expected scalar words, found a mantissa that is not normalised")
        return words

    def matrix(self, name: str, inputs: int, unit: np.uint32, shift: int) -> Matrix:
        if not self.config.grouped:
            return TernaryMatrix(self.packed(f"{name}.trits", inputs), inputs, unit)
        return GroupedMatrix(*self.grouped(name), shift, unit)

    def table(self, name: str) -> GroupedTable:
        return GroupedTable(*self.grouped(name))

    def grouped(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        packed, mantissas = self.take(f"{name}.trits"), self.take(f"{name}.mantissas")
        with located(f"{self.file.path}: tensor {name}.trits"):
            check_groups(packed)
        if mantissas.min() < 0:
            raise self._error(f"{name}.mantissas", f"expected 0 to {MANTISSA_MAX}, found {mantissas.min()}")
        return packed, mantissas

    def packed(self, name: str, inputs: int) -> np.ndarray:
        trits = self.take(name)
        with located(f"{self.file.path}: tensor {name}"):
            check_packed(trits, inputs)
        return trits

    def end(self) -> None:
        if self.left:
            raise self._error(min(self.left), "does not belong to a model of this config")

    def _error(self, name: str, what: str) -> ModelError:
        return ModelError(f"{self.file.path}: tensor {name}: {what}")
