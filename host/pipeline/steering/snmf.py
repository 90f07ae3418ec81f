"""Steering along features of the feed-forward: what its neurons do together, found by SNMF, as a vector to add.

At `down`'s input the activations of both texts are factorised, and the feature whose amount tells the texts apart best
is taken, away from the text that has more of it where that is the other one. Its direction in neurons is multiplied by
the layer's ternary down matrix once, at fitting, exactly, and the result is added to the residual. This stands for
adding the feature at `down`'s input at run time. It is an approximation: there the addition would share one int8 scale
with the token's own values, and what is added passes by the sub-norm, which rescales the sum. In return `down`'s input
keeps its zeros, which adding there would fill. Source: "Decomposing MLP Activations into Interpretable Features via
Semi-Nonnegative Matrix Factorization".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from host.pipeline.features.separation import separations
from host.pipeline.features.snmf import factorise
from host.pipeline.fitting import FitOption, Fitted
from host.pipeline.site import Point, Site
from host.pipeline.steering.added_vectors import AddedVectors, usual_norm
from host.pipeline.steering.contrast import CONTRAST_OPTIONS, Contrast, ContrastFit
from models.checkpoint import Model
from models.errors import OptionError

__all__ = ["Snmf", "through_down"]

_TOKENS = 2048
"""At most so many of each text's, evenly spread, make the factors: their cost is in proportion."""


class Snmf(ContrastFit, AddedVectors):
    """vectors: float [layers, hidden], added to the residual stream after each layer, times strength."""

    method = "snmf"
    options = {
        **CONTRAST_OPTIONS,
        "features": FitOption(int, 64, "features of a layer"),
        "winners": FitOption(float, 0.05, "share of a feature's neurons that are not zero, 0.01 to 0.05 in its source"),
        "added": FitOption(int, 1, "features of a layer to add, those that tell the texts apart best")}

    @classmethod
    def fit_contrast(cls, contrast: Contrast, layers: Sequence[int], *,  # type: ignore[override]  # `options` by name
                     features: int = 64, winners: float = 0.05, added: int = 1) -> Fitted:
        """See `ContrastFit`. Strength 1 adds `usual_norm`, shared over the layers."""
        if not 0 < winners <= 1:
            raise OptionError(f"--winners must lie in (0, 1], got {winners:g}")
        if not 1 <= added <= features:
            raise OptionError(f"--added must be 1 to the {features} features, got {added}")
        model = contrast.model
        vectors = np.zeros((model.config.layers, model.config.hidden_size))
        found = {}
        for layer in layers:
            toward, away = (side[::-(-len(side) // _TOKENS)] for side in contrast.observed(Point(layer, Site.DOWN)))
            if features > len(toward) + len(away):
                raise OptionError(f"--features must be at most the {len(toward) + len(away)} tokens, got {features}")
            direction, found[str(layer)] = _direction(toward, away, features, winners, added)
            vector = through_down(model, layer, direction)
            if length := float(np.linalg.norm(vector)):
                states = np.concatenate([side[layer] for side in contrast.states])
                vectors[layer] = vector / length * usual_norm(states) / len(layers)
        if not vectors.any():
            raise OptionError(f"no feature tells {' and '.join(contrast.names)} apart at layers {list(layers)}")
        return Fitted({"vectors": vectors}, {"chosen": found})


def through_down(model: Model, layer: int, direction: np.ndarray) -> np.ndarray:
    """What `down` makes of a direction in neurons, float64 [hidden], its scale left out: sums of it and its negative by
    the trits, without quantisation."""
    return model.layers[layer].linears["down"].trits().astype(np.float64) @ direction


def _direction(toward: np.ndarray, away: np.ndarray, features: int, share: float, added: int
               ) -> tuple[np.ndarray, dict[str, object]]:
    """The best features' directions, each by how far its mean amount differs, and what to say of them."""
    factors = factorise(np.concatenate([toward, away]), features, share=share)
    amounts = factors.amounts[:len(toward)], factors.amounts[len(toward):]
    apart = separations(*amounts)
    best = np.argsort(np.abs(apart))[::-1][:added]
    shift = amounts[0].mean(axis=0) - amounts[1].mean(axis=0)
    return factors.directions[:, best] @ shift[best], {
        "features": best.tolist(), "separations": np.round(apart[best], 4).tolist(), "error": round(factors.error, 4)}
