"""Methods that end in vectors: h += strength * v after a layer, whatever found v. A tap does it.

A negative strength reverses the direction. Vectors of all such methods at one layer are added up.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.fitting import Fitted
from host.pipeline.mantissas import check_magnitudes, to_mantissas
from host.pipeline.site import Point, Site
from host.pipeline.stage import Stage
from host.pipeline.steering.steering_stage import SteeringStage
from models.checkpoint import Model
from models.config import ModelConfig
from models.golden.tap import Tap, neutral_tap

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AddedVectors", "adding_tap", "usual_norm"]

_MASSIVE = 10  # channels left out of a norm


class AddedVectors(SteeringStage):
    """vectors: float [layers, hidden], added to the residual stream after each layer, times strength."""

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self.added = self.tensors["vectors"] * strength
        self.layers = {layer for layer, vector in enumerate(self.tensors["vectors"]) if vector.any()}

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"vectors": (config.layers, config.hidden_size)}

    @classmethod
    @abstractmethod
    def fit(cls, model: Model, **options: object) -> Fitted:
        """See `Stage`."""

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`; strength may be negative."""
        check_magnitudes("vectors", np.abs(tensors["vectors"]).max(axis=1), strength)
        return cls(tensors, strength)

    @property
    def family(self) -> type[Stage]:
        """See `Stage`: vectors are vectors."""
        return AddedVectors

    @classmethod
    def join(cls, stages: Sequence[Self]) -> list[Stage]:
        """The sum of the vectors, each times its strength, rounded once."""
        first, *others = stages
        added = first.added
        for stage in others:
            added = added + stage.added
        joined = type(first)({"vectors": added})
        joined.layers = first.layers.union(*(stage.layers for stage in others))
        return [joined]

    def points(self, model: Model) -> list[Point]:
        return [Point(layer, Site.RESIDUAL) for layer in sorted(self.layers)]

    def lower(self, point: Point, model: Model) -> Tap:
        return adding_tap(self.added[point.layer])

    def randomised(self, seed: int) -> Stage:
        """A control: one Gaussian direction for all layers, so that these pull together as fitted ones do, of each
        vector's norm."""
        vectors = self.tensors["vectors"]
        drawn = np.random.default_rng(seed).standard_normal(vectors.shape[1])
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return self.load({"vectors": drawn / np.linalg.norm(drawn) * norms}, self.strength)


def adding_tap(vector: np.ndarray) -> Tap:
    """The tap that adds a vector [channels], in the float model's units, and does nothing else."""
    mantissas, exponent = to_mantissas(vector, 32767)
    return replace(neutral_tap(vector.size), add=mantissas.astype(np.int16), add_exponent=exponent)


def usual_norm(states: np.ndarray) -> float:
    """The median norm of residual rows [tokens, hidden], their ten largest channels (massive activations) left out."""
    usual = np.argsort(np.abs(states).mean(axis=0))[:-_MASSIVE]
    return float(np.median(np.linalg.norm(states[:, usual], axis=1)))
