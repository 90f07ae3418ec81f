"""What reads a point: the matrices behind it, and which part of a direction there they see.

A direction v is the sum of a part in the row space of its readers and of one in their null space, which no reader sees.
Patching along v sets v·x, to which both parts contribute, and writes along both: so a null part that merely goes with a
feature can drive a row part that the model never uses, a dormant path, and v moves the output although its feature was
found where nothing is read. Source: "Is This the Subspace You Are Looking for? An Interpretability Illusion for
Subspace Activation Patching", section 3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from host.pipeline.site import Point, Site
from models.checkpoint import Model
from models.errors import OptionError
from models.golden.scalar import from_word, to_float
from models.model import Gains

__all__ = ["Split", "patch_optimal", "planted_illusion", "readers"]

_ZERO = 1e-9  # of the largest singular value: a rank is counted above it


class Split(NamedTuple):
    """read: orthonormal columns [channels, rank], the directions that readers see."""

    read: np.ndarray

    @classmethod
    def of(cls, matrix: np.ndarray, kept: int | None = None) -> Split:
        """Of readers [outputs, channels]. kept: so many directions, those seen most, instead of all of the rank."""
        values, directions = np.linalg.svd(matrix, full_matrices=False)[1:]
        rank = int((values > _ZERO * values[0]).sum())
        return cls(directions[:rank if kept is None else min(kept, rank)].T)

    @property
    def rank(self) -> int:
        """Dimensions that are read."""
        return self.read.shape[1]

    def parts(self, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is read of a direction [channels], and the rest."""
        seen = self.read @ (self.read.T @ direction)
        return seen, direction - seen

    def share(self, direction: np.ndarray) -> float:
        """The read part's share of the squared norm, 0 to 1."""
        return float((self.parts(direction)[0] ** 2).sum() / (direction**2).sum())


def readers(model: Model, point: Point) -> np.ndarray:
    """The matrices that read a point next, one above the other, float64 [outputs, channels].

    At `down` that matrix' trits. At `residual` the next layer's, each with its scale and with the gains of the norm
    before it; behind the last layer the head with the final gains. The norm's factor, a token's, is left out.
    `OptionError` for another site.
    """
    if point.site == Site.DOWN:
        return model.layers[point.layer].linears["down"].trits().astype(np.float64)
    if point.site != Site.RESIDUAL:
        raise OptionError(f"readers are known at sites {Site.DOWN} and {Site.RESIDUAL}, not at {point.site}")
    if point.layer + 1 == model.config.layers:
        head = model.head * to_float(from_word(model.head_scales))[:, None]
        return head * _values(model.final_gains)
    layer = model.layers[point.layer + 1]
    found = []
    for gains, names in (("input", ("q", "k", "v")), ("post_attention", ("gate", "up"))):
        for name in names:
            linear = layer.linears[name]
            found.append(linear.trits() * float(to_float(from_word(linear.scale))) * _values(layer.gains[gains]))
    return np.concatenate(found)


def planted_illusion(toward: np.ndarray, away: np.ndarray, matrix: np.ndarray, split: Split) -> np.ndarray:
    """A direction that is an illusion by construction, norm 1, from values [rows, channels] of two manners.

    One half lies in the null space, along what differs there: it goes with the feature, and nothing reads it. The other
    is dormant: of the directions that are read and on which the manners' means do not differ, it lies in the half that
    varies least, turned as nearly as may be toward what the true difference writes. `ValueError` without a null space,
    or where the manners do not differ there.
    """
    difference = toward.mean(axis=0) - away.mean(axis=0)
    seen, unseen = split.parts(difference)
    if not np.linalg.norm(unseen) > _ZERO * np.linalg.norm(difference):
        raise ValueError("the manners do not differ in what nothing reads")
    inside = split.read.T @ seen
    free = np.linalg.svd(inside[None])[2][1:].T  # of the read coordinates, those orthogonal to the difference
    rows = np.concatenate([toward - toward.mean(axis=0), away - away.mean(axis=0)]) @ (split.read @ free)
    quiet = np.linalg.eigh(rows.T @ rows)[1][:, :rows.shape[1] // 2]  # eigenvalues rise
    basis = split.read @ free @ quiet
    dormant = basis @ (basis.T @ (matrix.T @ (matrix @ seen)))
    return (unseen / np.linalg.norm(unseen) + dormant / np.linalg.norm(dormant)) / np.sqrt(2)


def patch_optimal(difference: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The direction, norm 1, along which a patch writes most of what the manners' `difference` [channels] writes.

    Where a mean moves by the difference, a patch along v moves what the readers give toward g = matrix^T matrix
    difference by (v·difference)(v·g), which is largest halfway between the two. It is what a search for a direction by
    its patch's effect would end at, were the model linear, and nothing in it asks where the feature is read.
    """
    gradient = matrix.T @ (matrix @ difference)
    found = difference / np.linalg.norm(difference) + gradient / np.linalg.norm(gradient)
    return found / np.linalg.norm(found)


def _values(gains: Gains) -> np.ndarray:
    return np.ldexp(gains[0].astype(np.float64), -gains[1])
