"""AUSteer: a few channels of the residual stream, scaled by how surely they tell the two manners apart.

A channel's activation momentum over contrastive pairs d = x+ - x- is b = ±max(#(d > 0), #(d < 0)) / N, signed as most
pairs are; the k channels with the largest |b| over all layers are steered, x <- x * (1 + strength * b): the more a
channel says, the more it is moved. The paper's units are mostly positive. Those of a residual stream are not, so b has
the sign of the channel's mean activation here, which lets the product move the way that d does; `--sign paper` leaves
that out. Texts are not paired: pair i is the mean over the i-th run of 16 tokens of either. Source: AUSteer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from host.pipeline.fitting import FitOption, Fitted
from host.pipeline.steering.contrast import CONTRAST_OPTIONS, Contrast, ContrastFit
from host.pipeline.steering.scaled_and_shifted import ScaledAndShifted
from models.errors import OptionError

__all__ = ["AUSteer", "momenta"]

_RUN = 16  # tokens whose mean is one of a pair


class AUSteer(ContrastFit, ScaledAndShifted):
    """scales: float [layers, hidden], b of the chosen channels, else 0; shifts: zeros. Strength is the paper's
    alpha."""

    method = "au-steer"
    options = {
        **CONTRAST_OPTIONS,
        "count": FitOption(int, 100, "channels to steer, over all layers"),
        "sign": FitOption(str, "mean", "mean: scale a channel by the sign of its mean too; paper: by b alone")}

    @classmethod
    def default_layers(cls, count: int) -> Sequence[int]:
        """All: the momenta choose."""
        return range(count)

    @classmethod
    def fit_contrast(cls, contrast: Contrast, layers: Sequence[int], *,  # type: ignore[override]  # options by name
                     count: int, sign: str) -> Fitted:
        """See `ContrastFit`."""
        if sign not in ("mean", "paper"):
            raise OptionError(f"--sign is mean or paper, got {sign!r}")
        toward, away = (_run_means(states) for states in contrast.states)
        size = min(toward.shape[1], away.shape[1])
        scores = momenta(toward[:, :size], away[:, :size])
        if sign == "mean":
            scores *= np.sign(np.concatenate([toward, away], axis=1).mean(axis=1))
        there = np.zeros(len(scores), bool)
        there[list(layers)] = True
        scores[~there] = 0
        available = int(np.count_nonzero(scores))
        if not 0 < count <= available:
            raise OptionError(f"--count must lie within 1 .. {available}, got {count}")
        least = np.argsort(-np.abs(scores), axis=None, kind="stable")[count:]
        scores.flat[least] = 0
        return Fitted({"scales": scores, "shifts": np.zeros_like(scores)},
                      {"channels_by_layer": np.count_nonzero(scores, axis=1).tolist()})


def momenta(toward: np.ndarray, away: np.ndarray) -> np.ndarray:
    """b of every channel, float [layers, channels], of pairs [layers, pairs, channels]."""
    up, down = ((toward > away).sum(axis=1), (toward < away).sum(axis=1))
    return np.where(up >= down, up, -down) / toward.shape[1]


def _run_means(states: np.ndarray) -> np.ndarray:
    """Means over runs of tokens, [layers, runs, hidden] of [layers, tokens, hidden]."""
    runs = states.shape[1] // _RUN
    if not runs:
        raise OptionError(f"a text of fewer than {_RUN} tokens is too short to fit on")
    return states[:, :runs * _RUN].reshape(len(states), runs, _RUN, -1).mean(axis=2)
