"""The linear-quadratic regulator of a loop that measures and acts at the same place, layer by layer.

x[l], how far the residual behind layer l is from where it should be, becomes x[l] + u[l], and A[l] (x[l] + u[l])
behind the next layer. The gains make the sum of q (x + u)·(x + u) + r u·u over the layers least, with q_f in the place
of q behind the last one. Source: "Local Linearity of LLMs Enables Activation Steering via Model-Based Linear Optimal
Control". There a layer's input is measured and its output acted on, so that its gains are these times A.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

__all__ = ["regulator_gains"]


def regulator_gains(slopes: np.ndarray, directions: np.ndarray, layers: Collection[int], *, q: float, r: float,
                    q_f: float) -> np.ndarray:
    """k[l] = (S + R)^-1 S v[l], float64 [layers, hidden]; zero where the loop is not to act.

    slopes: A [layers - 1, hidden, hidden]; directions: v [layers, hidden]. S[l], what a distance behind layer l costs
    from there on once the loop has acted, comes from the last layer backwards: S[l] = Q + A^T P A, S' = S[l+1], with
    P = S' - S' (S' + R)^-1 S' where the loop acts behind layer l + 1, S' where it does not.
    """
    count, hidden = directions.shape
    gains, cost, effort = np.zeros_like(directions), q_f * np.eye(hidden), r * np.eye(hidden)
    for layer in range(count - 1, -1, -1):
        ahead = cost
        if layer in layers:
            weight = np.linalg.solve(cost + effort, cost)  # (S + R)^-1 S
            gains[layer] = weight @ directions[layer]
            ahead = cost - cost @ weight
        if layer:
            slope = slopes[layer - 1]
            cost = q * np.eye(hidden) + slope.T @ ahead @ slope
            cost = (cost + cost.T) / 2  # rounding must not grow over the layers
    return gains
