"""TEAL: magnitude thresholds on the inputs of linear layers, fitted offline.

An input channel with |x| <= t of its layer and site becomes zero before quantisation; skipping an int8 zero is exact.
Thresholds are quantiles of |x| over a text. Within each layer the sparsity is shared out greedily: the site goes next
that costs the layer's output least for what it saves. Source: TEAL (training-free activation sparsity).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.fitting import FitOption
from host.pipeline.mantissas import check_magnitudes, to_mantissas
from host.pipeline.site import LINEAR_INPUTS, Point, Site, channels_of
from host.pipeline.sparsity.allocation import MOST, allocate, most_of
from host.pipeline.sparsity.fitted_mask import (
    MASK_OPTIONS,
    FittedMask,
    LayerInputs,
    check_strength,
    chosen_sites,
    sites_option,
)
from host.pipeline.stage import Stage
from models.checkpoint import Model
from models.config import ModelConfig
from models.formats.source import FloatLayer
from models.golden.tap import Tap, neutral_tap

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Teal"]


class Teal(FittedMask):
    """thresholds: float [layers, 4], one for each layer and linear input (qkv, o, gate_up, down); strength scales
    them."""

    method, sites = "teal", LINEAR_INPUTS
    options = {"sparsity": FitOption(float, 0.4, "share of zeros"), "sites": sites_option(LINEAR_INPUTS),
               **MASK_OPTIONS}

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self.thresholds = self.tensors["thresholds"] * strength
        self.chosen = self.tensors["thresholds"] > 0

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"thresholds": (config.layers, len(LINEAR_INPUTS))}

    @classmethod
    def most(cls, options: Mapping[str, object]) -> float:
        """See `FittedMask`."""
        return most_of(chosen_sites(cls, options))

    @classmethod
    def fit_layer(cls, layer: FloatLayer, inputs: LayerInputs, sparsity: float, config: ModelConfig,
                  options: Mapping[str, object]) -> dict[str, np.ndarray]:
        """See `FittedMask`."""
        grid = np.arange(0, MOST, 0.05)
        sites = chosen_sites(cls, options)
        for site in sites:
            if ("quantiles", site) not in inputs.memo:
                inputs.memo["quantiles", site] = np.quantile(np.abs(inputs[site]), grid) * (grid > 0)
        quantiles = {site: inputs.memo["quantiles", site] for site in sites}

        def dropping(site: Site, rows: np.ndarray) -> Callable[[float], np.ndarray]:
            return lambda share: np.where(np.abs(rows) <= np.interp(share, grid, quantiles[site]), rows, 0)

        shares = allocate(layer, inputs, sparsity, sites, dropping, "teal", config)
        return {"thresholds": np.array([np.quantile(np.abs(inputs[site]), shares[site]) if shares.get(site) else 0.0
                                        for site in LINEAR_INPUTS])}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Teal:
        """See `Stage`."""
        check_strength("thresholds", tensors["thresholds"], strength)
        check_magnitudes("thresholds", tensors["thresholds"], strength)
        return cls(tensors, strength)

    @classmethod
    def join(cls, stages: Sequence[Self]) -> list[Stage]:
        """The highest of the thresholds at each place: it makes zero whatever any of them does."""
        joined = cls({"thresholds": np.max([stage.thresholds for stage in stages], axis=0)})
        joined.chosen = np.any([stage.chosen for stage in stages], axis=0)
        return [joined]

    def points(self, model: Model) -> list[Point]:
        return [Point(layer, LINEAR_INPUTS[site]) for layer, site in np.argwhere(self.chosen).tolist()]

    def lower(self, point: Point, model: Model) -> Tap:
        channels = channels_of(point.site, model.config)
        value = self.thresholds[point.layer, LINEAR_INPUTS.index(point.site)]
        mantissa, exponent = to_mantissas(np.array([value]), 65535)
        return replace(neutral_tap(channels), threshold=np.full(channels, mantissa[0], np.uint16),
                       threshold_exponent=exponent)
