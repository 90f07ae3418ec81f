"""A ternary model as every reader gives it: trits with a scale that multiplies, everything else in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.config import ModelConfig

__all__ = ["FloatLayer", "FloatLinear", "FloatModel", "LazyLayers"]


@dataclass(frozen=True)
class FloatLinear:
    """trits: int8 [out, in] in -1..1; scale: the value of trit 1, finite and positive."""

    trits: np.ndarray
    scale: float


@dataclass(frozen=True)
class FloatLayer:
    """linears by the names of `models.config.LINEARS`; gains, float32, by those of `ModelConfig.gain_sizes`."""

    linears: dict[str, FloatLinear]
    gains: dict[str, np.ndarray]


@dataclass
class FloatModel:
    """embedding and head: float32 [vocab, hidden], head None where it is tied; final_gains: float32 [hidden].

    layers: one `FloatLayer` each, possibly read anew at every access; tokenizer: a `tokenizer.json`, if there
    is one; provenance: where the model comes from, for the record.
    """

    config: ModelConfig
    embedding: np.ndarray
    head: np.ndarray | None
    final_gains: np.ndarray
    layers: Sequence[FloatLayer]
    tokenizer: Path | None = None
    provenance: dict[str, object] = field(default_factory=dict)


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
