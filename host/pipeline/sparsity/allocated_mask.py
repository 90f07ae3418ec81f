"""Masks that share a layer's zeros out among the linear inputs by one rule, so that a comparison is one of channels.

The shares of zeros are those of TEAL's greedy allocation by WINA's errors, whichever channels a method then drops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from host.pipeline.site import LINEAR_INPUTS, Site
from host.pipeline.sparsity.allocation import READERS, allocate, most_of
from host.pipeline.sparsity.fitted_mask import MASK_OPTIONS, SPARSITY, LayerInputs, chosen_sites, sites_option
from host.pipeline.sparsity.ranked_mask import RankedMask, kept_channels
from models.config import ModelConfig
from models.formats.source import FloatLayer

__all__ = ["AllocatedMask", "column_norms"]


class AllocatedMask(RankedMask):
    """shares: float [layers, 4] of the channels of each linear input (qkv, o, gate_up, down) that become zero;
    strength scales them. `method` and `keeps` are a subclass' own."""

    sites = LINEAR_INPUTS
    options = {"sparsity": SPARSITY, "sites": sites_option(LINEAR_INPUTS), **MASK_OPTIONS}

    @classmethod
    def most(cls, options: Mapping[str, object]) -> float:
        """See `FittedMask`."""
        return most_of(chosen_sites(cls, options))

    @classmethod
    def fit_layer(cls, layer: FloatLayer, inputs: LayerInputs, sparsity: float, config: ModelConfig,
                  options: Mapping[str, object]) -> dict[str, np.ndarray]:
        """See `FittedMask`."""
        return {"shares": _allocated(layer, inputs, sparsity, chosen_sites(cls, options), config)}


def column_norms(matrices: Iterable[tuple[np.ndarray, float]]) -> np.ndarray:
    """float64 [in]: norms of the columns of matrices (trits [out, in] and their scale) that lie below each other."""
    return np.sqrt(sum((np.count_nonzero(trits, axis=0) * (scale * scale) for trits, scale in matrices), start=0.0))


def _allocated(layer: FloatLayer, inputs: LayerInputs, sparsity: float, sites: Sequence[Site], config: ModelConfig
               ) -> np.ndarray:
    """Shares [4] of the linear inputs' channels, shared out by WINA's errors; 0 for those that are not in `sites`."""
    norms = {site: column_norms((layer.linears[name].trits, layer.linears[name].scale) for name in READERS[site])
             for site in sites}

    def dropping(site: Site, rows: np.ndarray) -> Callable[[float], np.ndarray]:
        order = np.argsort(-np.abs(rows) * norms[site], axis=1, kind="stable")

        def dropped(share: float) -> np.ndarray:
            lost, gone = np.zeros_like(rows), order[:, kept_channels(share, rows.shape[1]):]
            np.put_along_axis(lost, gone, np.take_along_axis(rows, gone, axis=1), axis=1)
            return lost

        return dropped

    shares = allocate(layer, inputs, sparsity, sites, dropping, "wina", config)
    return np.array([shares.get(site, 0.0) for site in LINEAR_INPUTS])
