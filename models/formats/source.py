"""A ternary model as every reader gives it: trits with a scale that multiplies, everything else in float32.

Readers give layers and rows of the vocabulary when they are asked for, so that a large model never is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.config import ModelConfig
from models.errors import ModelError
from models.formats.card import Card
from models.formats.zeros import ZeroTensors
from models.ternary_groups import GROUP, ONE_SCALE
from models.vocabulary.parts import TextParts

__all__ = ["FloatLayer", "FloatLinear", "FloatModel", "FloatRows", "GroupedLinear", "GroupedRows", "LazyLayers",
           "LazyRows", "row_blocks"]


@dataclass(frozen=True)
class FloatLinear:
    """trits: int8 [out, in] in -1..1; scale: the value of trit 1, finite and positive."""

    trits: np.ndarray
    scale: float

    @classmethod
    def scaled(cls, trits: np.ndarray, scale: float) -> FloatLinear:
        """As the class, but a scale of 0 makes trits of 0."""
        return cls(trits, scale) if scale else cls(np.zeros_like(trits), 1.0)


@dataclass(frozen=True)
class GroupedLinear:
    """signs: int8 [out, in] in -1..1; scales: float32 [out, in / 128], not negative, of each 128 inputs of a row."""

    signs: np.ndarray
    scales: np.ndarray

    @property
    def scale(self) -> float:
        """`ModelError`: there is none for all of the matrix."""
        raise ModelError(ONE_SCALE)

    @property
    def trits(self) -> np.ndarray:
        """`ModelError`: without their scales they are nothing that is proportional to the weights."""
        raise ModelError(ONE_SCALE)

    def values(self, rows: slice = slice(None)) -> np.ndarray:
        """float32 [n, in]."""
        return self.signs[rows] * np.repeat(self.scales[rows], GROUP, axis=1)


@dataclass(frozen=True)
class FloatLayer:
    """linears by the names of `models.config.LINEARS`; gains, float32, by those of `ModelConfig.gain_sizes`."""

    linears: dict[str, FloatLinear | GroupedLinear]
    gains: dict[str, np.ndarray]


class LazyRows:
    """A float32 table [rows, width], of which `read(start, stop)` gives rows anew each time. Read-only.

    Indexed by a slice of rows or by an array of row numbers, as an array is; `np.asarray` reads it whole.
    """

    def __init__(self, shape: tuple[int, int], read: Callable[[int, int], np.ndarray]):
        self.shape, self._read = shape, read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            return self._read(start, max(start, stop))[::step]
        numbers = np.arange(len(self))[rows]
        return np.stack([self._read(int(row), int(row) + 1)[0] for row in numbers])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._read(0, len(self)).astype(dtype or np.float32, copy=False)


class GroupedRows(LazyRows):
    """A ternary table of floats; `parts(start, stop)` gives its rows as a `GroupedLinear`, anew each time."""

    def __init__(self, shape: tuple[int, int], parts: Callable[[int, int], GroupedLinear]):
        super().__init__(shape, lambda start, stop: parts(start, stop).values())
        self.parts = parts


FloatRows = np.ndarray | LazyRows
"""float32 [rows, width], in memory or read by rows."""

_BLOCK_BYTES = 1 << 25  # of float32 rows held at a time


def row_blocks(table: FloatRows) -> Iterator[tuple[int, np.ndarray]]:
    """The table's rows in order, as (number of the first, float32 [n, width]), a few million values at a time."""
    rows = max(1, _BLOCK_BYTES // (4 * table.shape[1]))
    for start in range(0, len(table), rows):
        yield start, table[start:start + rows]


@dataclass
class FloatModel:
    """embedding and head: float32 [vocab, hidden], head None where it is tied; final_gains: float32 [hidden].

    layers: one `FloatLayer` each, possibly read anew at every access; text: its tokenizer, if there is one;
    provenance: where the model comes from, for the record; zeros: what was read of zeros alone; card: what its makers
    say of it.
    """

    config: ModelConfig
    embedding: FloatRows
    head: FloatRows | None
    final_gains: np.ndarray
    layers: Sequence[FloatLayer]
    text: TextParts | None = None
    provenance: dict[str, object] = field(default_factory=dict)
    zeros: ZeroTensors = field(default_factory=ZeroTensors)
    card: Card = field(default_factory=Card)


class LazyLayers(Sequence[FloatLayer]):
    """Layers read one at a time by `load(index)` and not kept, so that a large model never is whole in memory."""

    def __init__(self, count: int, load: Callable[[int], FloatLayer]):
        self._count, self._load = count, load

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> FloatLayer:  # type: ignore[override]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        return self._load(index % self._count)
