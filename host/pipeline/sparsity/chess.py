"""CHESS: a threshold for each channel of the activated gate, and one for each of attention's inputs, `qkv` and `o`.

A neuron is dropped where |act(gate_i)| <= t_i = F**-1(p) / E|up_i|, with F the distribution of E|up_i| * |act(gate_i)|
over a layer. So a gate of a neuron whose `up` is large has to be smaller to go. The gate's sum becomes 0, and with it
act(0) = 0 and the product, for ReLU**2 as for SiLU. The comparison is in integers: for ReLU**2, which rises, of the sum
itself with the root of t_i; for SiLU, which does not, of the golden model's own gate * sigmoid(gate).

Attention's inputs have a quantile of |x| each, which lowers to a tap. The paper masks the inputs of q and of o alone;
here k and v read what q reads, so they are masked with it. Source: CHESS, arXiv 2409.01366.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.mantissas import check_magnitudes, to_mantissas
from host.pipeline.site import Point, Site, channels_of
from host.pipeline.sparsity.bounds import bounds
from host.pipeline.sparsity.fitted_mask import (
    MASK_OPTIONS,
    SPARSITY,
    FittedMask,
    LayerInputs,
    check_strength,
    chosen_sites,
    sites_option,
)
from host.pipeline.sparsity.gates import activated, activated_rows, gate_and_up
from host.pipeline.stage import Stage
from models.checkpoint import Model
from models.config import ModelConfig
from models.formats.source import FloatLayer
from models.golden.scalar import Scalar
from models.golden.tap import Tap, neutral_tap

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Chess"]

_ATTENTION = (Site.QKV, Site.O)


class Chess(FittedMask):
    """gate: float [layers, ffn], thresholds of |act(gate)|; inputs: float [layers, 2], of |x| at qkv and o; strength
    scales both."""

    method, sites = "chess", (*_ATTENTION, Site.GATE)
    options = {"sparsity": SPARSITY, "sites": sites_option((*_ATTENTION, Site.GATE)), **MASK_OPTIONS}

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self.gate, self.inputs = self.tensors["gate"] * strength, self.tensors["inputs"] * strength
        self.chosen_gates, self.chosen_inputs = (self.tensors[name] > 0 for name in ("gate", "inputs"))

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"gate": (config.layers, config.ffn_size), "inputs": (config.layers, len(_ATTENTION))}

    @classmethod
    def fit_layer(cls, layer: FloatLayer, inputs: LayerInputs, sparsity: float, config: ModelConfig,
                  options: Mapping[str, object]) -> dict[str, np.ndarray]:
        """See `FittedMask`."""
        sites = chosen_sites(cls, options)
        attention = [np.quantile(np.abs(inputs[site]), sparsity) if site in sites else 0.0 for site in _ATTENTION]
        gate, up = gate_and_up(layer, inputs[Site.GATE_UP])
        thresholds = np.zeros(gate.shape[1])
        if Site.GATE in sites:
            usual = np.abs(up).mean(axis=0, dtype=np.float64)
            least = np.quantile(np.abs(activated(gate, config.activation)) * usual, sparsity)
            np.divide(least, usual, out=thresholds, where=usual > 0)
        return {"gate": thresholds, "inputs": np.array(attention)}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Chess:
        """See `Stage`."""
        for name, thresholds in tensors.items():
            check_strength(name, thresholds, strength)
            check_magnitudes(name, thresholds, strength)
        return cls(tensors, strength)

    @classmethod
    def join(cls, stages: Sequence[Self]) -> list[Stage]:
        """The highest of the thresholds at each place: it drops whatever any of them drops."""
        joined = cls({name: np.max([getattr(stage, name) for stage in stages], axis=0) for name in ("gate", "inputs")})
        joined.chosen_gates = np.any([stage.chosen_gates for stage in stages], axis=0)
        joined.chosen_inputs = np.any([stage.chosen_inputs for stage in stages], axis=0)
        return [joined]

    def points(self, model: Model) -> list[Point]:
        found = [Point(layer, _ATTENTION[site]) for layer, site in np.argwhere(self.chosen_inputs).tolist()]
        return found + [Point(layer, Site.GATE) for layer in np.flatnonzero(self.chosen_gates.any(axis=1)).tolist()]

    def lower(self, point: Point, model: Model) -> Tap | None:
        if point.site == Site.GATE:
            return None
        channels = channels_of(point.site, model.config)
        value = self.inputs[point.layer, _ATTENTION.index(Site(point.site))]
        mantissa, exponent = to_mantissas(np.array([value]), 65535)
        return replace(neutral_tap(channels), threshold=np.full(channels, mantissa[0], np.uint16),
                       threshold_exponent=exponent)

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        if point.site != Site.GATE:
            return super().apply(point, x, unit, model)
        values, values_unit, power = activated_rows(x, unit, model.config.activation)
        thresholds = self.gate[point.layer] if power == 1 else np.sqrt(self.gate[point.layer])
        return np.where(np.abs(values) <= bounds(thresholds, values_unit), 0, x)
