"""A whole model in machine integers, as compiler, emulator and golden model take it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from models.config import ModelConfig
from models.errors import ModelError
from models.machine.scalar_format import pack_words
from models.ternary import unpack_trits
from models.ternary_groups import GROUP, ONE_SCALE, unpack_groups

__all__ = ["Gains", "GroupedMatrix", "GroupedTable", "Layer", "Matrix", "Model", "ModelBuilder", "ModelSink",
           "TernaryMatrix"]

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

    @property
    def unit(self) -> np.uint32:
        """The value of one unit of a sum, a scalar word."""
        return self.scale

    def __repr__(self) -> str:
        return f"<{self.shape[0]} × {self.shape[1]} trits>"


@dataclass(frozen=True, repr=False)
class GroupedMatrix:
    """One linear layer with a scale for each group of a row's inputs (`models.ternary_groups`).

    packed: uint8 [out, in / 4]; mantissas: int16 [out, in / 128]; shift: of its sums; unit: the value of one unit of a
    sum so shifted, a scalar word.
    """

    packed: np.ndarray
    mantissas: np.ndarray
    shift: int
    unit: np.uint32

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return self.packed.shape[0], 4 * self.packed.shape[1]

    @property
    def inputs(self) -> int:
        """Inputs of a row."""
        return self.shape[1]

    @property
    def scale(self) -> np.uint32:
        """`ModelError`: there is none for all of the matrix."""
        raise ModelError(ONE_SCALE)

    def trits(self) -> np.ndarray:
        """`ModelError`: without their scales they are nothing that is proportional to the weights."""
        raise ModelError(ONE_SCALE)

    def signs(self) -> np.ndarray:
        """int8 [out, in] in -1..1, unpacked anew at each call."""
        return unpack_groups(self.packed)


    def __repr__(self) -> str:
        return f"<{self.shape[0]} × {self.shape[1]} trits, scales by group>"


Matrix = TernaryMatrix | GroupedMatrix
"""A linear layer."""


@dataclass(frozen=True, repr=False)
class GroupedTable:
    """A ternary embedding or head with a scale for each group of a row's channels.

    packed: uint8 [vocab, hidden / 4]; mantissas: int16 [vocab, hidden / 128], whose exponent is the row's. Rows that
    are asked for, by any index of rows, are int16 [..., hidden]: trits times mantissas, as an int16 embedding has them.
    """

    packed: np.ndarray
    mantissas: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """(vocab, hidden)."""
        return self.packed.shape[0], 4 * self.packed.shape[1]

    def __len__(self) -> int:
        return self.packed.shape[0]

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        packed, mantissas = self.packed[rows], self.mantissas[rows]
        trits = unpack_groups(packed.reshape(-1, packed.shape[-1]))
        return (trits * np.repeat(mantissas.reshape(len(trits), -1), GROUP, axis=1)).reshape(*packed.shape[:-1], -1)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.int16, copy=False)

    @staticmethod
    def units(exponents: np.ndarray) -> np.ndarray:
        """Scalar words, uint32 [vocab], of the value of one unit of rows with these exponents, int8 [vocab]."""
        return pack_words(np.full(len(exponents), 1 << 23), -exponents.astype(np.int64))

    def __repr__(self) -> str:
        return f"<{self.shape[0]} × {self.shape[1]} trits, scales by group>"



@dataclass(frozen=True, repr=False)
class Layer:
    """linears by the names of `models.config.LINEARS`, gains by those of `ModelConfig.gain_sizes`."""

    linears: dict[str, Matrix]
    gains: dict[str, Gains]

    def __repr__(self) -> str:
        return f"<layer: {', '.join(f'{name} {matrix!r}' for name, matrix in self.linears.items())}>"


@dataclass(repr=False)
class Model:
    """A whole model in machine integers. Arrays of a loaded model are read-only views of its file.

    embedding: int16 [vocab, hidden], embedding_exponents: int8 [vocab], value m * 2**-e; head: int8 [vocab,
    hidden], head_scales: scalar words, uint32 [vocab], the value of one unit of a row (a tied head is
    `models.integers.head_of_embedding`'s); the residual is int32 with `residual_fraction_bits` fraction bits;
    folder: where the model was loaded from, its tokenizer beside it. With `grouped_tables` embedding and head are
    `GroupedTable`s, one and the same where the head is tied, and head_scales those of `GroupedTable.units`.
    """

    config: ModelConfig
    layers: list[Layer]
    final_gains: Gains
    embedding: np.ndarray | GroupedTable
    embedding_exponents: np.ndarray
    head: np.ndarray | GroupedTable
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

    def vocabulary(self, start: int, embedding: np.ndarray | GroupedTable, exponents: np.ndarray,
                   head: np.ndarray | GroupedTable, head_scales: np.ndarray) -> None:
        """Rows of the vocabulary come in order, from number `start` on; as the fields of `Model`."""

    def finish(self, final_gains: Gains, residual_fraction_bits: int, provenance: dict[str, object]) -> None:
        """Comes once, last."""


class ModelBuilder:
    """The sink that puts a `Model` together in memory."""

    def __init__(self, config: ModelConfig):
        self._config, self._layers = config, []
        table = config.vocab_size, config.hidden_size
        if config.grouped_tables:
            embedding: Any = _empty_table(*table)
            head: Any = embedding if config.tied_head else _empty_table(*table)
        else:
            embedding, head = np.empty(table, np.int16), np.empty(table, np.int8)
        exponents, scales = np.empty(table[0], np.int8), np.empty(table[0], np.uint32)
        self._vocabulary: tuple[Any, Any, Any, Any] = embedding, exponents, head, scales
        self.model: Model | None = None
        """The model, once it is finished."""

    def layer(self, index: int, layer: Layer) -> None:
        """As `ModelSink`."""
        self._layers.append(layer)

    def vocabulary(self, start: int, *rows: Any) -> None:
        """As `ModelSink`."""
        for whole, part in zip(self._vocabulary, rows, strict=True):
            place = slice(start, start + len(part))
            if isinstance(whole, GroupedTable):
                whole.packed[place], whole.mantissas[place] = part.packed, part.mantissas
            else:
                whole[place] = part

    def finish(self, final_gains: Gains, residual_fraction_bits: int, provenance: dict[str, object]) -> None:
        """As `ModelSink`."""
        self.model = Model(self._config, self._layers, final_gains, *self._vocabulary, residual_fraction_bits,
                           provenance)


def _empty_table(vocab: int, hidden: int) -> GroupedTable:
    return GroupedTable(np.empty((vocab, hidden // 4), np.uint8), np.empty((vocab, hidden // GROUP), np.int16))
