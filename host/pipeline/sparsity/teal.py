"""TEAL: magnitude thresholds on the inputs of linear layers, fitted offline.

An input channel with |x| <= t of its layer and site becomes zero before quantisation; skipping an int8 zero is exact.
Thresholds are quantiles of |x| over a text. Within each layer the sparsity is shared out greedily: the site whose
output suffers least for what it saves goes next. Source: TEAL (training-free activation sparsity).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from host.pipeline.fitting import COMMON_OPTIONS, FitOption, Fitted
from host.pipeline.mantissas import check_magnitudes, to_mantissas
from host.pipeline.observing import linear_inputs
from host.pipeline.site import LINEAR_INPUTS, Point, Site, channels_of
from host.pipeline.stage import Order, Stage
from host.pipeline.texts import text_ids
from models.checkpoint import Model
from models.config import ModelConfig
from models.dequantise import float_model
from models.errors import ArtefactError, OptionError
from models.formats.source import FloatLayer, FloatModel
from models.golden.tap import Tap, neutral_tap

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Teal", "fit_thresholds"]

_READERS = {Site.QKV: ("q", "k", "v"), Site.O: ("o",), Site.GATE_UP: ("gate", "up"), Site.DOWN: ("down",)}
_STEPS = 20  # sparsities tried at a site: multiples of a twentieth
_ROWS = 256  # tokens on which an error is measured


class Teal(Stage):
    """thresholds: float [layers, 4], one for each layer and linear input (qkv, o, gate_up, down); strength scales
    them."""

    kind, method, order, sites = "sparsity", "teal", Order.MASK, LINEAR_INPUTS
    options = {"sparsity": FitOption(float, 0.4, "share of zeros"), **COMMON_OPTIONS}

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self.thresholds = self.tensors["thresholds"] * strength
        self.chosen = self.tensors["thresholds"] > 0

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"thresholds": (config.layers, len(LINEAR_INPUTS))}

    @classmethod
    def fit(cls, model: Model, *, sparsity: float, text: Path,  # type: ignore[override]  # `options` by name
            tokens: int) -> Fitted:
        """See `Stage`."""
        if tokens < 1:
            raise OptionError(f"--tokens must be at least 1, got {tokens}")
        ids = text_ids(model, text)[:tokens]
        thresholds = fit_thresholds(float_model(model), np.array(ids), sparsity)
        return Fitted({"thresholds": thresholds}, {"tokens": len(ids)})

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Teal:
        """See `Stage`."""
        thresholds = tensors["thresholds"]
        if (thresholds < 0).any():
            raise ArtefactError(f"tensor thresholds: expected none below 0, found {thresholds.min()}")
        if strength < 0:
            raise ArtefactError(f"tensor thresholds: its strength must not be negative, got {strength}")
        check_magnitudes("thresholds", thresholds, strength)
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


def fit_thresholds(model: FloatModel, ids: np.ndarray, sparsity: float) -> np.ndarray:
    """Thresholds float64 [layers, 4] at which about `sparsity` of the weights meet a zero input on such text."""
    if not 0 < sparsity < 0.95:
        raise OptionError(f"sparsity must lie between 0 and 0.95, got {sparsity}")
    inputs = linear_inputs(model, ids)
    layers = tqdm(model.layers, "thresholds", unit="layer", file=sys.stderr, disable=not sys.stderr.isatty())
    return np.array([_allocate(layer, x, sparsity) for layer, x in zip(layers, inputs, strict=True)])


def _allocate(layer: FloatLayer, inputs: dict[str, np.ndarray], sparsity: float) -> list[float]:
    """Thresholds of one layer, in the order of LINEAR_INPUTS, whose weighted mean sparsity reaches `sparsity`."""
    grid = np.arange(_STEPS) / _STEPS
    thresholds = {site: np.quantile(np.abs(x), grid) * (grid > 0) for site, x in inputs.items()}
    errors = {site: _errors(layer, site, inputs[site], thresholds[site]) for site in LINEAR_INPUTS}
    weight = {site: sum(layer.linears[name].trits.size for name in names) for site, names in _READERS.items()}
    level = dict.fromkeys(LINEAR_INPUTS, 0)
    whole = sum(weight.values())
    while sum(weight[s] * grid[level[s]] for s in LINEAR_INPUTS) < sparsity * whole - 1e-9:
        open_sites = [s for s in LINEAR_INPUTS if level[s] + 1 < _STEPS]
        cost = {s: (errors[s][level[s] + 1] - errors[s][level[s]]) / weight[s] for s in open_sites}
        level[min(open_sites, key=cost.__getitem__)] += 1
    return [float(thresholds[s][level[s]]) for s in LINEAR_INPUTS]


def _errors(layer: FloatLayer, site: Site, x: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Relative squared error of the site's products at each threshold."""
    rows = x[np.linspace(0, len(x) - 1, min(_ROWS, len(x))).astype(int)]
    weights = [layer.linears[name].trits.T.astype(np.float32) * layer.linears[name].scale for name in _READERS[site]]
    total = sum(float(np.square(rows @ w).sum()) for w in weights)
    dropped = (np.where(np.abs(rows) <= t, rows, 0) for t in thresholds)
    return np.array([sum(float(np.square(d @ w).sum()) for w in weights) for d in dropped]) / max(total, 1e-30)
