"""A whole model in machine integers, as compiler, emulator and golden model take it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from models.config import ModelConfig
from models.ternary import unpack_trits

__all__ = ["Gains", "Layer", "Model", "ModelBuilder", "ModelSink", "TernaryMatrix"]

Gains = tuple[np.ndarray, int]
"""Norm gains: int16 mantissas and one exponent e, value g * 2**-e."""


@dataclass(frozen=True, repr=False)
class TernaryMatrix:
    """One linear layer. packed: uint8 [out, ceil(in / 5)]; scale: scalar word, uint32, that multiplies."""

    packed: np.ndarray
    inputs: int
    scale: np.uint32

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return self.packed.shape[0], self.inputs

    def trits(self) -> np.ndarray:
        """int8 [out, in] in -1..1, unpacked anew at each call."""
        return unpack_trits(self.packed, self.inputs)

    def __repr__(self) -> str:
        return f"<{self.shape[0]} × {self.shape[1]} trits>"


@dataclass(frozen=True, repr=False)
class Layer:
    """linears by the names of `models.config.LINEARS`, gains by those of `ModelConfig.gain_sizes`."""

    linears: dict[str, TernaryMatrix]
    gains: dict[str, Gains]

    def __repr__(self) -> str:
        return f"<layer: {', '.join(f'{name} {matrix!r}' for name, matrix in self.linears.items())}>"


@dataclass(repr=False)
class Model:
    """A whole model in machine integers. Arrays of a loaded model are read-only views of its file.

    embedding: int16 [vocab, hidden], embedding_exponents: int8 [vocab], value m * 2**-e; head: int8 [vocab,
    hidden], head_scales: scalar words, uint32 [vocab], the value of one unit of a row (a tied head is
    `models.integers.head_of_embedding`'s); the residual is int32 with `residual_fraction_bits` fraction bits;
    folder: where the model was loaded from, its tokenizer beside it.
    """

    config: ModelConfig
    layers: list[Layer]
    final_gains: Gains
    embedding: np.ndarray
    embedding_exponents: np.ndarray
    head: np.ndarray
    head_scales: np.ndarray
    residual_fraction_bits: int
    provenance: dict[str, object] = field(default_factory=dict)
    folder: Path | None = None

    def __repr__(self) -> str:
        config = self.config
        return (f"<{config.name}: {config.layers} layers of {config.hidden_size} channels, {config.vocab_size} words, "
                f"{config.parameters} weights>")


class ModelSink(Protocol):
    """Takes a model's parts as they are made: to a file, or together."""

    def layer(self, index: int, layer: Layer) -> None:
        """Layers come in order."""

    def vocabulary(self, start: int, embedding: np.ndarray, exponents: np.ndarray, head: np.ndarray,
                   head_scales: np.ndarray) -> None:
        """Rows of the vocabulary come in order, from number `start` on; as the fields of `Model`."""

    def finish(self, final_gains: Gains, residual_fraction_bits: int, provenance: dict[str, object]) -> None:
        """Comes once, last."""


class ModelBuilder:
    """The sink that puts a `Model` together in memory."""

    def __init__(self, config: ModelConfig):
        self._config, self._layers = config, []
        table = config.vocab_size, config.hidden_size
        self._vocabulary: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] = (
            np.empty(table, np.int16), np.empty(table[0], np.int8), np.empty(table, np.int8),
                            np.empty(table[0], np.uint32))
        self.model: Model | None = None
        """The model, once it is finished."""

    def layer(self, index: int, layer: Layer) -> None:
        """As `ModelSink`."""
        self._layers.append(layer)

    def vocabulary(self, start: int, *rows: np.ndarray) -> None:
        """As `ModelSink`."""
        for whole, part in zip(self._vocabulary, rows, strict=True):
            whole[start:start + len(part)] = part

    def finish(self, final_gains: Gains, residual_fraction_bits: int, provenance: dict[str, object]) -> None:
        """As `ModelSink`."""
        self.model = Model(self._config, self._layers, final_gains, *self._vocabulary, residual_fraction_bits,
                           provenance)
