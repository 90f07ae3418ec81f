"""A sparse autoencoder whose features are on or off: f = z where z > theta, else 0, under the atomic inner product.

With x in the metric's coordinates, z_k = <e_k, x>, x is rebuilt as the sum of f_k d_k, and the loss is
|x - rebuilt|^2 / 2 + cost * (features that are on). e, d and theta are learnt; atoms d have norm 1. The step at theta
has no slope, so theta's gradient takes a rectangle of width `_BAND` around it, as in JumpReLU. The gradients of so
small a net are written out, in float32, with Adam; NumPy only.

Sources: "Towards Atoms of Large Language Models" (threshold activation, inner product); Rajamanoharan et al., "Jumping
Ahead" (the slope at the step).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from host.pipeline.features.atomic_metric import AtomicMetric, atomic_metric

__all__ = ["ThresholdSae", "fit_threshold_sae", "loss_gradients"]

_BAND = 0.3
_FIRST_THRESHOLD = 0.3
_BATCH = 256
_RATE = 3e-3
_RISING, _FALLING = 0.3, 0.3  # shares of the steps over which the cost rises and, at the end, the rate falls
_MOMENTUM, _SPREAD = 0.9, 0.999

Parameters = dict[str, np.ndarray]


class ThresholdSae(NamedTuple):
    """encoder, decoder: [channels, features] in the metric's coordinates, columns of the decoder of norm 1; thresholds:
    [features], >= 0."""

    metric: AtomicMetric
    encoder: np.ndarray
    decoder: np.ndarray
    thresholds: np.ndarray

    @property
    def atoms(self) -> np.ndarray:
        """Directions in channels, float64 [channels, features]."""
        return self.metric.unwhitening @ self.decoder

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """How much of each feature rows [rows, channels] have: [rows, features], 0 or above its threshold."""
        found = (rows - self.metric.mean) @ self.metric.whitening @ self.encoder
        return np.where(found > self.thresholds, found, 0)

    def error(self, rows: np.ndarray) -> float:
        """What is left of rows after rebuilding them, over their variance, in squares of the inner product's norm."""
        whitened = (rows - self.metric.mean) @ self.metric.whitening
        return float(((whitened - self.encode(rows) @ self.decoder.T) ** 2).sum() / (whitened**2).sum())


def fit_threshold_sae(rows: np.ndarray, features: int, *, cost: float = 0.1, steps: int = 2000, seed: int = 0,
                      metric: AtomicMetric | None = None) -> ThresholdSae:
    """Trained on activations, float64 [rows, channels]; atoms begin at rows drawn at random.

    cost: of a feature that is on, while a row costs half its channels in squares when nothing is rebuilt. metric: else
    that of the rows. `ValueError` for more features than rows or rows that do not vary.
    """
    if not 1 <= features <= len(rows):
        raise ValueError(f"features must be 1 to the {len(rows)} rows, got {features}")
    metric = metric or atomic_metric(rows)
    random = np.random.default_rng(seed)
    whitened = ((rows - metric.mean) @ metric.whitening).astype(np.float32)
    atoms = whitened[random.choice(len(rows), features, replace=False)].T
    atoms = atoms / np.maximum(np.linalg.norm(atoms, axis=0), 1e-6)
    parameters = {"encoder": atoms.copy(), "decoder": atoms,
                  "thresholds": np.full(features, _FIRST_THRESHOLD, np.float32)}
    means = {name: np.zeros_like(array) for name, array in parameters.items()}
    squares = {name: np.zeros_like(array) for name, array in parameters.items()}
    for step in range(steps):
        batch = whitened[random.integers(len(rows), size=_BATCH)]
        gradients = loss_gradients(parameters, batch, cost * min(1.0, step / (_RISING * steps)))
        rate = _RATE * min(1.0, (steps - step) / (_FALLING * steps))
        for name, gradient in gradients.items():
            means[name] = _MOMENTUM * means[name] + (1 - _MOMENTUM) * gradient
            squares[name] = _SPREAD * squares[name] + (1 - _SPREAD) * gradient**2
            mean = means[name] / (1 - _MOMENTUM ** (step + 1))
            parameters[name] -= rate * mean / (np.sqrt(squares[name] / (1 - _SPREAD ** (step + 1))) + 1e-8)
        parameters["decoder"] /= np.maximum(np.linalg.norm(parameters["decoder"], axis=0), 1e-6)
        np.maximum(parameters["thresholds"], 0, out=parameters["thresholds"])
    return ThresholdSae(metric, **{name: array.astype(np.float64) for name, array in parameters.items()})


def loss_gradients(parameters: Parameters, batch: np.ndarray, cost: float) -> Parameters:
    """The loss's gradients on whitened rows [batch, channels], means over them."""
    encoder, decoder, thresholds = (parameters[name] for name in ("encoder", "decoder", "thresholds"))
    found = batch @ encoder
    active = np.where(found > thresholds, found, 0)
    left = active @ decoder.T - batch
    slope = left @ decoder  # of the loss, by `active`
    near = (np.abs(found - thresholds) < _BAND / 2) / np.float32(_BAND)
    count = len(batch)
    return {"encoder": batch.T @ np.where(active != 0, slope, 0) / count, "decoder": left.T @ active / count,
            "thresholds": -((thresholds * slope + np.float32(cost)) * near).mean(axis=0)}
