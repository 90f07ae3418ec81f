"""LinEAS: an affine map a channel after each layer, fitted end to end so that the unwanted manner's activations become
distributed as the wanted one's.

The loss is the sum over layers of the mean over channels of the 1-D Wasserstein distance (of order 1, sorted values
against sorted values) between the source's activations, as all maps before and at this layer leave them, and the
target's in the plain model, over a channel's deviation. 32 + 32 unpaired passages of 32 tokens; Adam; after each step
the proximal map of a sparse group lasso (groups are layers) on scales and shifts. Trained on the float network with
straight-through gradients, so it needs PyTorch; what is reported of it is the emulator's. Strength s interpolates: s of
the way from the identity. Source: LinEAS.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from tqdm import trange

from host.pipeline.fitting import FitOption, Fitted
from host.pipeline.steering.contrast import CONTRAST_OPTIONS, Contrast, ContrastFit
from host.pipeline.steering.hooked_network import HookedNetwork, network_with_gradients
from host.pipeline.steering.scaled_and_shifted import ScaledAndShifted
from models.errors import OptionError

if TYPE_CHECKING:
    import torch

__all__ = ["LinEAS", "wasserstein"]

_PASSAGES, _LENGTH = 32, 32
_RATE = 0.02  # of Adam, in units of a channel's deviation


class LinEAS(ContrastFit, ScaledAndShifted):
    """scales, shifts: float [layers, hidden], the fitted map less the identity; strength: how far towards it."""

    method = "lin-eas"
    options = {
        **CONTRAST_OPTIONS,
        "steps": FitOption(int, 60, "steps of the fit"),
        "sparsity": FitOption(float, 0.3, "weight of the sparse group lasso; 0 keeps all channels")}

    @classmethod
    def default_layers(cls, count: int) -> Sequence[int]:
        """All: the lasso chooses."""
        return range(count)

    @classmethod
    def fit_contrast(cls, contrast: Contrast, layers: Sequence[int], *,  # type: ignore[override]  # options by name
                     steps: int, sparsity: float) -> Fitted:
        """See `ContrastFit`."""
        if steps < 1 or not sparsity >= 0:
            raise OptionError(f"--steps must be positive and --sparsity not negative, got {steps} and {sparsity:g}")
        toward, away = contrast.pieces(_LENGTH, _PASSAGES)
        scales, shifts, distances = _optimise(contrast, np.array(toward), np.array(away), layers, steps, sparsity)
        if not scales.any() and not shifts.any():
            raise OptionError("the lasso left no channel: lower --sparsity")
        support = np.count_nonzero((scales != 0) | (shifts != 0)) / (len(layers) * scales.shape[1])
        return Fitted({"scales": scales, "shifts": shifts},
                      {"support": round(float(support), 4),
                       "wasserstein_before_after": [round(distance, 4) for distance in distances]})


def _optimise(contrast: Contrast, toward: np.ndarray, away: np.ndarray, layers: Sequence[int], steps: int,
              sparsity: float) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Scales and shifts, float64 [layers, hidden], and the loss before and after."""
    network = network_with_gradients(contrast.model)
    import torch  # late: only fitting needs it

    plain = HookedNetwork(network)
    with torch.no_grad():
        target, source = (plain.states(torch.from_numpy(ids)) for ids in (toward, away))
        deviations = target.flatten(1, 2).std(dim=1).clamp(min=1e-6)[:, None]  # [layers, 1, hidden]
    shape = target.shape[0], target.shape[-1]
    scales, shifts = (torch.zeros(shape, requires_grad=True) for _ in range(2))
    steered = torch.zeros(shape[0], 1)
    rows = list(layers)  # the others have no gradient, and no part in what the lasso weighs
    steered[rows] = 1
    optimiser = torch.optim.Adam([scales, shifts], lr=_RATE)
    mapped = HookedNetwork(network, lambda layer, h: h + steered[layer] * (scales[layer] * h
                                                                           + shifts[layer] * deviations[layer]))
    before = float(wasserstein(source, target, deviations))
    ids = torch.from_numpy(away)
    for _ in trange(steps, desc="lin-eas", unit="step", file=sys.stderr, disable=not sys.stderr.isatty()):
        optimiser.zero_grad()
        loss = wasserstein(mapped.states(ids), target, deviations)
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            for parameter in (scales, shifts):
                moment = optimiser.state[parameter]["exp_avg_sq"].sqrt().clamp(min=1e-30)
                chosen = _proximal(parameter[rows], _RATE * sparsity * moment[rows].mean() / moment[rows])
                parameter[rows] = chosen
    with torch.no_grad():
        after = float(wasserstein(mapped.states(ids), target, deviations))
        both = scales * steered, shifts * deviations[:, 0] * steered
    return both[0].numpy().astype(np.float64), both[1].numpy().astype(np.float64), (before, after)


def wasserstein(source: torch.Tensor, target: torch.Tensor, deviations: torch.Tensor) -> torch.Tensor:
    """Mean over layers and channels of the 1-D Wasserstein distance of order 1, over the channel's deviation.

    source, target: [layers, batch, time, hidden], as many of both; deviations: [layers, 1, hidden].
    """
    rows = [side.flatten(1, 2).sort(dim=1).values for side in (source, target)]
    return ((rows[0] - rows[1]).abs() / deviations).mean()


def _proximal(values: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
    """Soft thresholds on entries, then, eight times weaker, on the rows' norms (weighed by the root of their length).

    An entry's threshold grows as Adam's step does, so that those with small gradients go, whatever their step.
    """
    shrunk = values.sign() * (values.abs() - thresholds).clamp(min=0)
    norms, group = shrunk.norm(dim=1, keepdim=True), thresholds.median() / 8 * shrunk.shape[1] ** 0.5
    return shrunk * (1 - group / norms.clamp(min=1e-12)).clamp(min=0)
