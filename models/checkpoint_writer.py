"""Writing the project's own checkpoint piece by piece, whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from models.byte_size import byte_size
from models.config import LINEARS, ModelConfig
from models.errors import ModelError
from models.model import Gains, GroupedMatrix, GroupedTable, Layer
from models.safetensors_file import SafetensorsWriter, tensor_bytes
from models.ternary import packed_width
from models.ternary_groups import GROUP
from models.vocabulary.parts import TextParts

__all__ = ["CHAT", "FORMAT", "METADATA", "TENSORS", "TOKENIZER", "VERSION", "CheckpointWriter", "check_target",
           "new_checkpoint", "tensor_layout"]

FORMAT, VERSION = "tritloom", 2
METADATA, TENSORS, TOKENIZER, CHAT = "model.json", "model.safetensors", "tokenizer.json", "chat.json"
"""Files of a model's folder; the last two where its source had them."""


def tensor_layout(config: ModelConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type, by its safetensors name, and shape of every tensor of a model; `models.checkpoint` says what they hold."""
    table = config.vocab_size, config.hidden_size
    layout: dict[str, tuple[str, tuple[int, ...]]]
    if config.grouped_tables:
        layout = _grouped("embedding", *table) | ({} if config.tied_head else _grouped("head", *table))
    else:
        layout = {"embedding": ("I16", table), "head": ("I8", table)}
    layout |= {"embedding.exponents": ("I8", table[:1]), "head.scales": ("U32", table[:1]),
               "gain.final": ("I16", table[1:]), "scales": ("U32", (config.layers, len(LINEARS)))}
    if config.grouped:
        layout["shifts"] = "U8", (config.layers, len(LINEARS))
    for index in range(config.layers):
        for name, (outputs, inputs) in config.linear_shapes.items():
            if config.grouped:
                layout |= _grouped(f"layers.{index}.{name}", outputs, inputs)
            else:
                layout[f"layers.{index}.{name}.trits"] = "U8", (outputs, packed_width(inputs))
        for name, size in config.gain_sizes.items():
            layout[f"layers.{index}.gain.{name}"] = "I16", (size,)
    return layout


def _grouped(name: str, rows: int, inputs: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {f"{name}.trits": ("U8", (rows, inputs // 4)), f"{name}.mantissas": ("I16", (rows, inputs // GROUP))}


class CheckpointWriter:
    """Takes a model's parts as they are made (it is a `models.model.ModelSink`); `new_checkpoint` gives one."""

    def __init__(self, config: ModelConfig, tensors: SafetensorsWriter):
        self._config, self._tensors = config, tensors
        self._exponents: dict[str, int] = {}
        self._rest: dict[str, object] | None = None

    def layer(self, index: int, layer: Layer) -> None:
        """Write one layer."""
        for name, matrix in layer.linears.items():
            self._tensors.put(f"layers.{index}.{name}.trits", matrix.packed)
            if isinstance(matrix, GroupedMatrix):
                self._tensors.put(f"layers.{index}.{name}.mantissas", matrix.mantissas)
        self._tensors.put("scales", np.array([[layer.linears[name].unit for name in LINEARS]], np.uint32), index)
        shifts = [matrix.shift for matrix in (layer.linears[name] for name in LINEARS)
                  if isinstance(matrix, GroupedMatrix)]
        if shifts:
            self._tensors.put("shifts", np.array([shifts], np.uint8), index)
        for name, gains in layer.gains.items():
            self._gains(f"layers.{index}.gain.{name}", gains)

    def vocabulary(self, start: int, embedding: np.ndarray | GroupedTable, exponents: np.ndarray,
                   head: np.ndarray | GroupedTable, head_scales: np.ndarray) -> None:
        """Write the rows of the vocabulary from number `start` on."""
        rows = {"embedding": embedding, "embedding.exponents": exponents, "head.scales": head_scales}
        if not (self._config.grouped_tables and self._config.tied_head):
            rows["head"] = head
        for name, values in rows.items():
            if isinstance(values, GroupedTable):
                self._tensors.put(f"{name}.trits", values.packed, start)
                self._tensors.put(f"{name}.mantissas", values.mantissas, start)
            else:
                self._tensors.put(name, values, start)

    def finish(self, final_gains: Gains, residual_fraction_bits: int, provenance: dict[str, object]) -> None:
        """Write the rest."""
        self._gains("gain.final", final_gains)
        self._rest = {"residual_fraction_bits": residual_fraction_bits, "gain_exponents": self._exponents,
                      "provenance": provenance}

    def metadata(self) -> dict[str, object]:
        """The contents of `model.json`."""
        if self._rest is None:
            raise ValueError("the model is not finished")
        return {"format": FORMAT, "version": VERSION, "config": self._config.to_json()} | self._rest

    def _gains(self, name: str, gains: Gains) -> None:
        self._tensors.put(name, gains[0])
        self._exponents[name] = gains[1]


@contextmanager
def new_checkpoint(folder: str | Path, config: ModelConfig, *, text: TextParts | None = None,
                   generation: Mapping[str, float] | None = None) -> Iterator[CheckpointWriter]:
    """A writer of the model folder `folder`, which appears when the block ends, and not if it fails.

    An earlier model in `folder` is replaced; `ModelError` where the folder holds anything else, cannot be written, or
    the disk has no room. generation: defaults of sampling (`models.generation`).
    """
    folder = Path(folder)
    check_target(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _check_room(folder, config)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            with SafetensorsWriter(new / TENSORS, tensor_layout(config)) as tensors:
                writer = CheckpointWriter(config, tensors)
                yield writer
            around = {"prompt": text.around.to_json()} if text is not None and text.around is not None else {}
            magic = {"magic": dict(text.magic)} if text is not None and text.magic else {}
            sampled = {"generation": dict(generation)} if generation else {}
            _write(new / METADATA, json.dumps(writer.metadata() | around | magic | sampled, indent=1) + "\n")
            if text is not None:
                _write(new / TOKENIZER, text.tokenizer)
                if text.chat is not None:
                    _write(new / CHAT, json.dumps(text.chat.to_json(), indent=1, ensure_ascii=False) + "\n")
            if folder.exists():
                folder.rename(Path(scratch) / "old")
            new.rename(folder)
    except OSError as error:
        raise ModelError(f"{folder} cannot be written: {error}") from None


def check_target(folder: Path) -> None:
    """`ModelError` where a model would not be written: ask before long work."""
    if folder.exists():
        if folder.is_dir() and folder.samefile(Path.cwd()):
            raise ModelError(f"{folder} is the working folder, which cannot be replaced: name a folder in it")
        found = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
        if foreign := sorted(found - {METADATA, TENSORS, TOKENIZER, CHAT}):
            raise ModelError(f"{folder} exists and holds {foreign[0]}, which is not part of a model")


def _check_room(folder: Path, config: ModelConfig) -> None:
    needed = tensor_bytes(tensor_layout(config))
    free = shutil.disk_usage(folder.parent).free
    if free < needed:
        raise ModelError(f"{folder} cannot be written: the model takes {byte_size(needed)}, and the disk has "
                         f"{byte_size(free)} left")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")  # newline: as it is, on every system
