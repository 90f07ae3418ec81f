"""The difference of the residual's means over two texts, as a vector to add: v = mean(h over A) - mean(h over B).

Source: difference of means (Physics Steering's delta).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from host.pipeline.fitting import Fitted
from host.pipeline.steering.added_vectors import AddedVectors, usual_norm
from host.pipeline.steering.contrast import Contrast, ContrastFit
from models.errors import OptionError

__all__ = ["DifferenceOfMeans", "difference_of_means"]


class DifferenceOfMeans(ContrastFit, AddedVectors):
    """vectors: float [layers, hidden], added to the residual stream after each layer, times strength."""

    method = "difference-of-means"

    @classmethod
    def fit_contrast(cls, contrast: Contrast, layers: Sequence[int], **own: object) -> Fitted:
        """See `ContrastFit`."""
        toward, away = contrast.states
        vectors = difference_of_means(toward, away, layers)
        if not vectors.any():
            raise OptionError(f"{' and '.join(contrast.names)} do not differ at layers {list(layers)}: there is no "
                              "vector from one to the other")
        return Fitted({"vectors": vectors}, {})


def difference_of_means(toward: np.ndarray, away: np.ndarray, layers: Sequence[int]) -> np.ndarray:
    """Vectors float [layers, hidden] from residuals [layers, tokens, hidden]: mean difference at `layers`, else zero.

    Scaled so that strength 1 adds `usual_norm`, shared over the steered layers.
    """
    vectors = np.zeros(toward.shape[::2])
    for layer in layers:
        difference = toward[layer].mean(axis=0) - away[layer].mean(axis=0)
        if length := float(np.linalg.norm(difference)):
            norm = usual_norm(np.concatenate([toward[layer], away[layer]]))
            vectors[layer] = difference / length * norm / len(layers)
    return vectors
