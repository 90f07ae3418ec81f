"""WINA: of a linear input's channels those stay whose magnitude times the norm of their weights is among the K largest.

The norm of a ternary column is beta * sqrt(nonzero trits). A site that several matrices read has one mask; its weights
are theirs stacked: norm_i**2 = sum over matrices of beta**2 * nnz_i, the bound on the error of all products together.
Scores are exact: |x| of at most 39 bits times a norm of 23, relative to the site's largest. K follows from TEAL's
greedy allocation, as in the paper's code. Source: WINA (weight informed neuron activation), arXiv 2505.19427.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from host.pipeline.site import LINEAR_INPUTS, Point, Site
from host.pipeline.sparsity.allocation import MOST, READERS, allocate
from host.pipeline.sparsity.fitted_mask import MASK_OPTIONS, SPARSITY, LayerInputs, chosen_sites, sites_option
from host.pipeline.sparsity.ranked_mask import RankedMask, kept_channels
from models.checkpoint import Model
from models.config import ModelConfig
from models.formats.source import FloatLayer
from models.golden.scalar import Scalar, from_word, to_float

__all__ = ["NORM_BITS", "Wina", "allocated", "column_norms", "site_norms"]

NORM_BITS = 23


class Wina(RankedMask):
    """shares: float [layers, 4] of the channels of each linear input (qkv, o, gate_up, down) that become zero;
    strength scales them."""

    method, sites, most = "wina", LINEAR_INPUTS, MOST
    options = {"sparsity": SPARSITY, "sites": sites_option(LINEAR_INPUTS), **MASK_OPTIONS}

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self._norms: dict[Point, np.ndarray] = {}

    @classmethod
    def fit_layer(cls, layer: FloatLayer, inputs: LayerInputs, sparsity: float, config: ModelConfig,
                  options: Mapping[str, object]) -> dict[str, np.ndarray]:
        """See `FittedMask`."""
        return {"shares": allocated(layer, inputs, sparsity, chosen_sites(cls, options))}

    def scores(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        if point not in self._norms:
            self._norms[point] = site_norms(point, model)
        return np.abs(x) * self._norms[point]


def allocated(layer: FloatLayer, inputs: LayerInputs, sparsity: float, sites: Sequence[Site]) -> np.ndarray:
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

    shares = allocate(layer, inputs, sparsity, sites, dropping, "wina")
    return np.array([shares.get(site, 0.0) for site in LINEAR_INPUTS])


def site_norms(point: Point, model: Model) -> np.ndarray:
    """int64 [channels]: norms of the columns that read a linear input, in 23 bits; the largest is 2**23 - 1."""
    linears = model.layers[point.layer].linears
    norms = column_norms((linears[name].trits(), float(to_float(from_word(linears[name].scale))))
                         for name in READERS[Site(point.site)])
    return np.rint(norms / max(float(norms.max()), 1e-300) * ((1 << NORM_BITS) - 1)).astype(np.int64)


def column_norms(matrices: Iterable[tuple[np.ndarray, float]]) -> np.ndarray:
    """float64 [in]: norms of the columns of matrices (trits [out, in] and their scale) that lie below each other."""
    return np.sqrt(sum((np.count_nonzero(trits, axis=0) * (scale * scale) for trits, scale in matrices), start=0.0))
