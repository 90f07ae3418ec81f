"""A second norm, to show that the seam is one: LayerNorm without a bias."""

from __future__ import annotations

from host.pipeline.normalisation.norm import Normalisation
from models.golden.norm_quant import norm_constants, normalise
from models.golden.scalar import constant, div

__all__ = ["LayerNorm"]


class LayerNorm(Normalisation):
    """y = gain * (x - mean(x)) / sqrt(var(x) + eps): the RMSNorm of n * x - sum(x), whose unit is an n-th."""

    method = "layer-norm"

    @staticmethod
    def shapes(config):
        return {}

    def normalise(self, point, x, unit, gains, model):
        n = x.shape[-1]
        mantissas, exponent = gains
        centred = n * x - x.sum(axis=-1, keepdims=True)
        return normalise(centred, div(unit, constant(n)), mantissas, norm_constants(n, exponent, model.config.rms_eps))
