"""The Local Interaction Basis: features of a layer's residual that act on few of the next layer's.

f = C (h - mean). From the last layer, whose basis is that of its principal components, back: principal components with
each scaled to variance one, so that no direction counts for its size; then the right singular vectors of the Jacobians
to the next layer's features, from M = mean of (C' J)^T (C' J) in those coordinates; each scaled by the root of its
eigenvalue, by what it does to the next layer. Directions without variance or without effect are dropped. Source: "The
Local Interaction Basis: Identifying Computationally-Relevant and Sparsely Interacting Features in Neural Networks".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Basis", "edges_needed", "interactions", "local_interaction_basis", "orthogonal_basis", "principal_basis"]

_NO_VARIANCE, _NO_EFFECT = 1e-8, 1e-12  # of the largest eigenvalue


class Basis(NamedTuple):
    """features = into @ (h - centre), and back: h = centre + back @ features, but for what the basis drops.

    into: float64 [features, channels]; back: [channels, features]; centre: [channels].
    """

    into: np.ndarray
    back: np.ndarray
    centre: np.ndarray

    def features(self, states: np.ndarray) -> np.ndarray:
        """Of rows [..., channels]: [..., features]."""
        return (states - self.centre) @ self.into.T

    def states(self, features: np.ndarray) -> np.ndarray:
        """Rows of features [..., features]."""
        return self.centre + features @ self.back.T


def orthogonal_basis(states: np.ndarray, rotation: np.ndarray | None = None) -> Basis:
    """The channels of rows [rows, channels], or those of a rotation [channels, channels], about the rows' mean."""
    turned = np.eye(states.shape[1]) if rotation is None else rotation
    return Basis(turned, turned.T, states.mean(axis=0))


def principal_basis(states: np.ndarray) -> Basis:
    """Principal components of rows [rows, channels], largest variance first, in their own units."""
    directions = _components(states)[1]
    return Basis(directions.T, directions, states.mean(axis=0))


def local_interaction_basis(states: np.ndarray, jacobians: np.ndarray, behind: Basis) -> Basis:
    """Of a layer's rows [rows, channels], what matters most first.

    jacobians: of the next layer's rows by this one's, [samples, channels, channels]. behind: the next layer's basis.
    """
    variances, directions = _components(states)
    wide = directions * np.sqrt(variances)  # from coordinates of variance one to channels
    through = behind.into @ jacobians @ wide
    flat = through.reshape(-1, wide.shape[1])
    effects, turned = np.linalg.eigh(flat.T @ flat / len(jacobians))
    effects, turned = effects[::-1], turned[:, ::-1]
    kept = effects > _NO_EFFECT * effects[0]
    scales, turned = np.sqrt(effects[kept]), turned[:, kept]
    return Basis(scales[:, None] * (turned.T @ (directions / np.sqrt(variances)).T), (wide @ turned) / scales,
                 states.mean(axis=0))


def interactions(states: np.ndarray, jacobians: np.ndarray, basis: Basis, behind: Basis) -> np.ndarray:
    """Strengths of edges, float64 [features behind, features]: the root mean square of what a feature gives another.

    states: rows [samples, channels] where the Jacobians [samples, channels, channels] were taken. It is the slope times
    the feature, where the source integrates slopes along the way from zero.
    """
    given = (behind.into @ jacobians @ basis.back) * basis.features(states)[:, None, :]
    return np.sqrt((given**2).mean(axis=0))


def edges_needed(strengths: np.ndarray, share: float) -> int:
    """The fewest edges that hold a share, 0 to 1, of the sum of squared strengths."""
    squares = np.sort(strengths.ravel() ** 2)[::-1].cumsum()
    return int(np.searchsorted(squares, share * squares[-1] * (1 - 1e-12))) + 1


def _components(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances and directions [channels, components] of rows, largest first, without those of no variance."""
    centred = states - states.mean(axis=0)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(states))
    variances, directions = variances[::-1], directions[:, ::-1]
    kept = variances > _NO_VARIANCE * variances[0]
    return variances[kept], directions[:, kept]
