"""Steering a language by its own channels and directions (Neural FOXP2), as a vector to add.

At each layer: a sparse autoencoder gives features of the residual. A feature belongs to a language as far as its amount
tells the texts apart, times the lift it gives to the logits of that language's tokens over the other's. The channels
with the largest parts in the best features are that language's. The differences of the two texts' means over pieces
give, by singular values, the directions that lead from one to the other, as many as lie before the largest gap, and
those that the source's pieces have in common. The vector goes along the former in the target's channels and against the
latter in the source's. Layers share the norm in proportion to their gaps. All is done at fitting.

Of the paper's abstract: with two languages alone both kinds of directions nearly lie on the difference of means; what
is this method's own is which channels and layers it takes. Source: "Neural FOXP2: Language Specific Neuron Steering
for Targeted Language Improvement in LLMs".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from host.pipeline.features.separation import separations
from host.pipeline.features.threshold_sae import ThresholdSae, fit_threshold_sae
from host.pipeline.fitting import FitOption, Fitted
from host.pipeline.steering.added_vectors import AddedVectors, usual_norm
from host.pipeline.steering.contrast import CONTRAST_OPTIONS, Contrast, ContrastFit
from models.dequantise import float_model
from models.errors import OptionError

__all__ = ["Foxp2", "Spectrum", "common_spectrum", "own_tokens", "selective_channels"]

_PIECE = 32  # tokens of a mean
_MOST = 8  # directions looked at for the gap
_OWN = 4  # times as frequent in a language as in the other: a token of its own
_BEST = 32  # features of a language that channels are traced from
_STEPS = 1000


class Foxp2(ContrastFit, AddedVectors):
    """vectors: float [layers, hidden], added to the residual stream after each layer, times strength."""

    method = "foxp2"
    options = {
        **CONTRAST_OPTIONS,
        "features": FitOption(int, 256, "features of a layer's autoencoder"),
        "channels": FitOption(float, 25.0, "percent of the channels that are a language's")}

    @classmethod
    def default_layers(cls, count: int) -> Sequence[int]:
        """Low and middle layers: the lower two thirds."""
        return range(max(1, 2 * count // 3))

    @classmethod
    def fit_contrast(cls, contrast: Contrast, layers: Sequence[int], *,  # type: ignore[override]  # `options` by name
                     features: int = 256, channels: float = 25.0) -> Fitted:
        """See `ContrastFit`. Strength 1 adds `usual_norm`, shared over the layers."""
        if not 0 < channels <= 100:
            raise OptionError(f"--channels must lie in (0, 100], got {channels:g}")
        toward, away = contrast.states
        if not 1 <= features <= toward.shape[1] + away.shape[1]:
            raise OptionError(f"--features must be 1 to the {toward.shape[1] + away.shape[1]} tokens, got {features}")
        if min(toward.shape[1], away.shape[1]) < 2 * _PIECE:
            raise OptionError(f"{' and '.join(contrast.names)} must have {2 * _PIECE} tokens each")
        lifting = _lifting(contrast)
        vectors = np.zeros(toward.shape[::2])
        gaps, found = {}, {}
        for layer in layers:
            sides = toward[layer], away[layer]
            try:
                sae = fit_threshold_sae(np.concatenate(sides), features, steps=_STEPS)
            except ValueError:
                raise OptionError(f"layer {layer} makes the same of every token: it has no features") from None
            target, source = (selective_channels(sae, *pair, sign * lifting, channels / 100)
                              for pair, sign in ((sides, 1), (sides[::-1], -1)))
            difference, common = _spectra(*sides)
            vector = target * _unit(difference.mean) - source * _unit(common.mean)
            vectors[layer] = _unit(vector) * usual_norm(np.concatenate(sides))
            gaps[layer] = difference.gap
            found[str(layer)] = {
                "rank": difference.rank, "gap": round(difference.gap, 4),
                "effective_rank": round(difference.effective, 2), "channels": int(np.count_nonzero(vector)),
                "error": round(sae.error(np.concatenate(sides)), 4)}

        for layer, gap in gaps.items():
            vectors[layer] *= gap / (sum(gaps.values()) or 1.0)
        if not vectors.any():
            raise OptionError(f"{' and '.join(contrast.names)} do not differ at layers {list(layers)}: there is no "
                              "vector from one to the other")
        return Fitted({"vectors": vectors}, {"found": found})


class Spectrum(NamedTuple):
    """Of rows' singular values s: rank: how many lie before the largest gap; gap: that one, over the first; effective:
    exp of the entropy of s**2; mean: the rows' mean, projected on these directions, [channels]."""

    rank: int
    gap: float
    effective: float
    mean: np.ndarray


def common_spectrum(rows: np.ndarray) -> Spectrum:
    """The directions that rows [pieces, channels] have in common, not centred."""
    _, values, directions = np.linalg.svd(rows, full_matrices=False)
    if not values[0]:
        return Spectrum(0, 0.0, 0.0, np.zeros(rows.shape[1]))
    steps = -np.diff(values[:_MOST + 1], append=0 if len(values) <= _MOST else []) / values[0]
    rank = int(np.argmax(steps)) + 1
    shares = values**2 / (values**2).sum()
    effective = float(np.exp(-(shares * np.log(np.maximum(shares, 1e-300))).sum()))
    return Spectrum(rank, float(steps[rank - 1]), effective,
                    directions[:rank].T @ (directions[:rank] @ rows.mean(axis=0)))


def own_tokens(ids: Sequence[int], others: Sequence[int], vocabulary: int) -> np.ndarray:
    """How often each token that is a language's own stands in its text, of all such: float64 [vocabulary], sum 1, or 0
    where there are none. Own: `_OWN` times as frequent as in the other's, one of each added."""
    mine, theirs = (np.bincount(side, minlength=vocabulary).astype(np.float64) for side in (ids, others))
    own = (mine + 1) * len(others) > _OWN * (theirs + 1) * len(ids)
    return np.where(own, mine, 0) / max(mine[own].sum(), 1)


def selective_channels(sae: ThresholdSae, mine: np.ndarray, other: np.ndarray, lifting: np.ndarray, share: float
                       ) -> np.ndarray:
    """1 for the share of channels with the largest parts in a language's features, else 0, as where there are no such
    features: float64 [channels].

    mine, other: residuals [tokens, channels]; lifting: [channels], by which a unit of each channel lifts the
    language's logits. A channel's part in an atom counts in deviations of the channel, so that massive ones do not win
    by their size.
    """
    apart = separations(sae.encode(mine), sae.encode(other))
    lift = lifting @ sae.atoms
    score = np.maximum(apart, 0) * np.maximum(lift, 0)
    best = np.argsort(score)[::-1][:_BEST]
    deviation = np.concatenate([mine, other]).std(axis=0)
    parts = np.divide(np.abs(sae.atoms[:, best]) @ score[best], deviation, out=np.zeros_like(deviation),
                      where=deviation > 0)
    chosen = np.zeros(len(parts))
    chosen[np.argsort(parts)[::-1][:max(1, round(share * len(parts)))]] = 1
    return chosen * (parts > 0)


def _lifting(contrast: Contrast) -> np.ndarray:
    """[hidden]: how far a unit of each channel, behind the last norm's gains, raises the mean logit of the target's own
    tokens over the source's; the norm's own scale left out."""
    toward, away = ([token for piece in side for token in piece] for side in contrast.pieces(1))
    model = float_model(contrast.model)
    head = np.asarray(model.embedding if model.head is None else model.head, np.float64)
    return model.final_gains * ((own_tokens(toward, away, len(head)) - own_tokens(away, toward, len(head))) @ head)


def _spectra(toward: np.ndarray, away: np.ndarray) -> tuple[Spectrum, Spectrum]:
    """Of the differences between the texts' pieces, and of the source's pieces from the middle of both texts."""
    count = min(len(toward), len(away)) // _PIECE
    means = [side[:count * _PIECE].reshape(count, _PIECE, -1).mean(axis=1) for side in (toward, away)]
    middle = (means[0].mean(axis=0) + means[1].mean(axis=0)) / 2
    return common_spectrum(means[0] - means[1]), common_spectrum(means[1] - middle)


def _unit(vector: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
