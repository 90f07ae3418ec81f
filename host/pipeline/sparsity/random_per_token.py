"""A control: random channels of a linear input stay, drawn anew for every token among those that int8 leaves.

Realised sparsity is then that of a top-k mask of the same share. What is drawn follows from the seed, the point and
what the row holds (`host.pipeline.sparsity.hashed`), so it depends on no device, batch or position, and a token that is
computed again has its channels again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from host.pipeline.site import Point
from host.pipeline.sparsity.allocated_mask import AllocatedMask
from host.pipeline.sparsity.fitted_mask import LayerInputs
from host.pipeline.sparsity.hashed import keys, row_digests
from host.pipeline.sparsity.ranked_mask import largest
from host.pipeline.sparsity.seeds import SEED, check_seeds, seed_of
from models.checkpoint import Model
from models.config import ModelConfig
from models.formats.source import FloatLayer
from models.golden.norm_quant import quantise
from models.golden.scalar import Scalar

__all__ = ["RandomPerToken"]


class RandomPerToken(AllocatedMask):
    """shares: see `AllocatedMask`, natural zeros are among them; seeds: whole numbers [layers]."""

    method = "random-per-token"
    options = {**AllocatedMask.options, "seed": SEED}

    @classmethod
    def shapes(cls, config: ModelConfig) -> dict[str, tuple[int, ...]]:  # type: ignore[override]
        return {**super().shapes(config), "seeds": (config.layers,)}

    @classmethod
    def fit_layer(cls, layer: FloatLayer, inputs: LayerInputs, sparsity: float, config: ModelConfig,
                  options: Mapping[str, object]) -> dict[str, np.ndarray]:
        """See `FittedMask`."""
        seeds = np.array(seed_of(options))
        return {**super().fit_layer(layer, inputs, sparsity, config, options), "seeds": seeds}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> RandomPerToken:
        """See `Stage`."""
        check_seeds(tensors["seeds"])
        return super().load(tensors, strength)

    def keeps(self, point: Point, x: np.ndarray, unit: Scalar, model: Model, kept: int) -> np.ndarray:
        drawn = keys(int(self.tensors["seeds"][point.layer]), point, x.shape[-1], row_digests(x))
        return largest(np.where(quantise(x, unit)[0] == 0, 0, drawn), kept)
