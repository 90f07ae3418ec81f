"""A control: random channels of a linear input stay, drawn anew for every token among those that int8 leaves.

Realised sparsity is then that of a top-k mask of the same share. What is drawn follows from the seed, the point and
what the row holds (`host.pipeline.sparsity.hashed`), so it depends on no device, batch or position, and a token that is
computed again has its channels again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from host.pipeline.site import LINEAR_INPUTS, Point
from host.pipeline.sparsity.allocation import MOST
from host.pipeline.sparsity.fitted_mask import MASK_OPTIONS, SPARSITY, LayerInputs, chosen_sites, sites_option
from host.pipeline.sparsity.hashed import keys, row_digests
from host.pipeline.sparsity.ranked_mask import RankedMask
from host.pipeline.sparsity.seeds import SEED, check_seeds, seed_of
from host.pipeline.sparsity.wina import allocated
from models.checkpoint import Model
from models.config import ModelConfig
from models.formats.source import FloatLayer
from models.golden.norm_quant import quantise
from models.golden.scalar import Scalar

__all__ = ["RandomPerToken"]


class RandomPerToken(RankedMask):
    """shares: float [layers, 4] of the channels of each linear input that become zero, natural zeros among them;
    seeds: whole numbers [layers]; strength scales the shares."""

    method, sites, most = "random-per-token", LINEAR_INPUTS, MOST
    options = {"sparsity": SPARSITY, "sites": sites_option(LINEAR_INPUTS), "seed": SEED, **MASK_OPTIONS}

    @classmethod
    def shapes(cls, config: ModelConfig) -> dict[str, tuple[int, ...]]:  # type: ignore[override]
        return {**super().shapes(config), "seeds": (config.layers,)}

    @classmethod
    def fit_layer(cls, layer: FloatLayer, inputs: LayerInputs, sparsity: float, config: ModelConfig,
                  options: Mapping[str, object]) -> dict[str, np.ndarray]:
        """See `FittedMask`; shares are shared out as WINA's, so that channels alone are compared."""
        return {"shares": allocated(layer, inputs, sparsity, chosen_sites(cls, options)),
                "seeds": np.array(seed_of(options))}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> RandomPerToken:
        """See `Stage`."""
        check_seeds(tensors["seeds"])
        return super().load(tensors, strength)

    def scores(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        drawn = keys(int(self.tensors["seeds"][point.layer]), point, x.shape[-1], row_digests(x))
        return np.where(quantise(x, unit)[0] == 0, 0, drawn)
