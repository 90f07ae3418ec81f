"""Clips in front of absmax: a bound per layer and linear input, in the last layer one per channel.

A wrong bit then changes a value by at most the bound, and cannot make all others small beside it. Bounds are found
layer by layer, each with the layers before already clipped: the lowest of some quantiles of |x| that leaves the
products of the layer as they are, but for a stated error. Channels of massive activations are exempt. Source: "ProAct:
Progressive Training for Hybrid Clipped Activation Function" (its hybrid of bounds and its order; thresholds are chosen
here, not trained by gradients).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.fitting import REQUIRED, FitOption, Fitted
from host.pipeline.mantissas import check_magnitudes, to_mantissas
from host.pipeline.massive import FACTOR, massive_channels
from host.pipeline.observing import observe, residuals
from host.pipeline.site import LINEAR_INPUTS, RESIDUAL_INPUTS, Point, Site, channels_of
from host.pipeline.stage import Order, Stage
from host.pipeline.texts import text_ids
from models.checkpoint import Model
from models.config import ModelConfig
from models.dequantise import float_model
from models.errors import ArtefactError, OptionError
from models.formats.source import FloatLayer
from models.golden.scalar import Scalar, constant, div, scale_round
from models.golden.tap import NO_CLIP, Tap, neutral_tap
from models.machine.build import CPU

__all__ = ["ProAct", "lowest_bound"]

_READERS = {Site.QKV: ("q", "k", "v"), Site.O: ("o",), Site.GATE_UP: ("gate", "up"), Site.DOWN: ("down",)}
_QUANTILES = (0.99, 0.999, 0.9999, 1.0)
_LEAST = 1 / 64  # of the layer's bound: a channel that was never seen large is not silenced
_ABOVE = ("bound", "zero")


class ProAct(Stage):
    """bounds: float [layers, 4], one for each layer and linear input (qkv, o, gate_up, down); last_SITE: float
    [channels], those of the last layer; massive: float [hidden], 1 for channels of the residual that are never clipped;
    zero: float [1], 1 where a value beyond its bound becomes zero instead of the bound. Strength scales the bounds."""

    kind, method, order, sites = "resilience", "proact", Order.CLIP, LINEAR_INPUTS
    options = {"error": FitOption(float, 1e-4, "relative squared error of a layer's products that a bound may cost"),
               "above": FitOption(str, "bound", "what a value beyond becomes, bound or zero"),
               "factor": FitOption(float, FACTOR, "times its token's median that makes a channel massive, and exempt"),
               "text": FitOption(Path, REQUIRED, "text to fit on"),
               "tokens": FitOption(int, 1024, "tokens of it to use")}

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"bounds": (config.layers, len(LINEAR_INPUTS)), "massive": (config.hidden_size,), "zero": (1,)} | {
            f"last_{site}": (channels_of(site, config),) for site in LINEAR_INPUTS}

    @classmethod
    def fit(cls, model: Model, *, error: float, above: str, factor: float,  # type: ignore[override]  # by name
            text: Path, tokens: int) -> Fitted:
        """See `Stage`. All values are the emulator's."""
        if tokens < 1:
            raise OptionError(f"--tokens must be at least 1, got {tokens}")
        if not 0 <= error < 1:
            raise OptionError(f"--error must lie within 0 and 1, got {error:g}")
        if above not in _ABOVE:
            raise OptionError(f"--above must be {' or '.join(_ABOVE)}, got {above!r}")
        config, ids = model.config, text_ids(model, text)[:tokens]
        massive = massive_channels(residuals(model, EmulatorDevice(CPU), ids, description="massive", skipped=0), factor)
        tensors = {name: np.full(shape, 1.0) for name, shape in cls.shapes(config).items()}
        tensors |= {"massive": massive.astype(float), "zero": np.array([float(above == "zero")])}
        for index, layer in enumerate(float_model(model).layers):
            points = [Point(index, site) for site in LINEAR_INPUTS]
            before = [point for point in cls(tensors).points(model) if point.layer < index]
            taps = {point: cls(tensors)._tap(point, model) for point in before}
            for point, x in observe(model, EmulatorDevice(CPU), points, ids, taps=taps).items():
                clipped = _clipped_channels(point.site, massive, x.shape[1])
                bound = lowest_bound(layer, point.site, x, clipped, error)
                tensors["bounds"][index, LINEAR_INPUTS.index(point.site)] = bound
                if index == config.layers - 1:
                    tensors[f"last_{point.site}"] = np.clip(np.abs(x).max(axis=0), bound * _LEAST, bound)
        return Fitted(tensors, {"tokens": len(ids), "massive": np.flatnonzero(massive).tolist()})

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> ProAct:
        """See `Stage`; a strength must be above 0."""
        if not strength > 0:
            raise ArtefactError(f"tensor bounds: its strength must be above 0, got {strength}")
        for name, values in tensors.items():
            if name in ("massive", "zero"):
                if not np.isin(values, (0, 1)).all():
                    raise ArtefactError(f"tensor {name}: expected 0 or 1, found {values[~np.isin(values, (0, 1))][0]}")
                continue
            if (values <= 0).any():
                raise ArtefactError(f"tensor {name}: expected bounds above 0, found {values.min()}")
            check_magnitudes(name, values, strength)
        return cls(tensors, strength)

    def lower(self, point: Point, model: Model) -> Tap | None:
        """The tap clips to the bound; it has nothing that makes what is beyond zero."""
        return None if self.tensors["zero"][0] else self._tap(point, model)

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        """See `Stage`."""
        if not self.tensors["zero"][0]:
            return super().apply(point, x, unit, model)
        tap, rho = self._tap(point, model), div(constant(1), unit)
        limit = scale_round(tap.clip.astype(np.int64), Scalar(rho.m[:, None], rho.e[:, None]),
                            fraction=tap.clip_exponent, bits=40)
        return np.where((tap.clip != NO_CLIP) & (np.abs(x) > limit), 0, x)

    def _tap(self, point: Point, model: Model) -> Tap:
        channels = channels_of(point.site, model.config)
        if point.layer == model.config.layers - 1:
            bounds = self.tensors[f"last_{point.site}"]
        else:
            bounds = np.full(channels, self.tensors["bounds"][point.layer, LINEAR_INPUTS.index(point.site)])
        mantissas, exponent = to_mantissas(bounds * self.strength, NO_CLIP - 1)
        clipped = _clipped_channels(point.site, self.tensors["massive"] > 0, channels)
        return replace(neutral_tap(channels), clip=np.where(clipped, mantissas, NO_CLIP).astype(np.uint16),
                       clip_exponent=exponent)


def lowest_bound(layer: FloatLayer, site: Site, x: np.ndarray, clipped: np.ndarray, error: float) -> float:
    """The lowest quantile of |x| at which clipping costs the site's products no more than `error`, relative, squared.

    x: float [tokens, channels] of the layer's site; clipped: bool [channels], those that are.
    """
    weights = [layer.linears[name].trits.T.astype(np.float64) * layer.linears[name].scale for name in _READERS[site]]
    total = sum(float(np.square(x @ w).sum()) for w in weights)
    sizes = np.abs(x[:, clipped])
    bound = 0.0
    for quantile in _QUANTILES:
        bound = float(np.quantile(sizes, quantile)) if sizes.size else 0.0
        cut = np.where(clipped, x - np.clip(x, -bound, bound), 0)
        if bound > 0 and sum(float(np.square(cut @ w).sum()) for w in weights) <= error * total:
            break
    return bound if bound > 0 else 1.0  # all zeros: any bound will do


def _clipped_channels(site: Site, massive: np.ndarray, channels: int) -> np.ndarray:
    """bool [channels]: all but the residual's massive ones."""
    return ~massive if site in RESIDUAL_INPUTS else np.ones(channels, bool)
