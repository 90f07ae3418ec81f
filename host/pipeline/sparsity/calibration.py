"""A mask's one setting from what it shall cost: bisected until CETT, zeros or perplexity are as wanted.

It works for every method that is fitted with a share of zeros, and takes the exact emulator's measure each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from host.pipeline.measuring import Sessions, measure
from host.pipeline.site import Point
from host.pipeline.sparsity.cett import capture_neurons, cett
from host.pipeline.stage import Stage
from models.checkpoint import Model

__all__ = ["Calibrated", "Fits", "to_cett", "to_perplexity", "to_zeros"]

_LEAST = 2.0**-12  # of a share of zeros: what bisection begins with and ends at
_STEPS = 12


class Fits(Protocol):
    """A stage for a share of zeros in each layer, at least `_LEAST`, below `most`."""

    most: float

    def __call__(self, sparsities: Sequence[float]) -> Stage: ...


class Calibrated(NamedTuple):
    """sparsities: the setting, for each layer. found: what was measured with it, of what was wanted."""

    stage: Stage
    sparsities: list[float]
    found: list[float]


def to_cett(fits: Fits, model: Model, ids: Sequence[int], target: float) -> Calibrated:
    """For each layer the largest setting at which the CETT of its mask is at most `target`."""
    captured, layers = capture_neurons(model, ids), model.config.layers
    low, high = np.full(layers, _LEAST), np.full(layers, fits.most)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        good = cett(fits(middle.tolist()), model, captured) <= target
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    stage = fits(low.tolist())
    return Calibrated(stage, low.tolist(), cett(stage, model, captured).tolist())


def to_perplexity(fits: Fits, model: Model, ids: Sequence[int], percent: float, *, tolerance: float = 0.1,
                  sessions: Sessions | None = None) -> Calibrated:
    """The largest setting, the same in all layers, at which perplexity is at most `percent` above the plain model's.

    It ends within `tolerance` percent below, or, since perplexity on few tokens jumps from one setting to the next, at
    the nearest that was seen. `found` is the percentage reached.
    """
    sessions = sessions or Sessions(model)
    plain = measure(model, [], ids, points=(), sessions=sessions).nll

    def above(stage: Stage) -> float:
        nll = measure(model, [stage], ids, points=(), sessions=sessions).nll
        return 100 * float(np.expm1((nll - plain) / (len(ids) - 1)))

    return _bisected(fits, model.config.layers, above, percent, tolerance, below=0.0, curve=_root)


def to_zeros(fits: Fits, model: Model, ids: Sequence[int], target: float, points: Collection[Point], *,
             tolerance: float = 0.005, first: float | None = None, sessions: Sessions | None = None) -> Calibrated:
    """A setting, the same in all layers, at which a share `target` of the inputs at `points` is zero, or up to
    `tolerance` less.

    Where the plain model has more zeros than that, it is the least setting. first: where to look first, by default at
    the target.
    """
    sessions = sessions or Sessions(model)
    return _bisected(fits, model.config.layers,
                     lambda stage: measure(model, [stage], ids, points=points, sessions=sessions).zeros, target,
                     tolerance, first=target if first is None else first)


def _root(value: float) -> float:
    """Perplexity rises about as the square of a small share of zeros does."""
    return math.copysign(math.sqrt(abs(value)), value)


def _bisected(fits: Fits, layers: int, measured: Callable[[Stage], float], target: float, tolerance: float, *,
              first: float | None = None, below: float | None = None,
              curve: Callable[[float], float] = float) -> Calibrated:
    """It is found where the measure is at most `tolerance` below `target`, and looked for in the middle of that. Where
    the measure jumps between neighbouring settings, it is the nearest below the target that was seen.

    first: where to look first, where the measure rises about as the setting does. below: the measure at the least
    setting, if that is known. curve: what of the measure rises so.
    """
    low, high, aim = _LEAST, fits.most, target - tolerance / 2
    above: float | None = None
    best: Calibrated | None = None
    guess = (low + high) / 2 if first is None else first
    for _ in range(_STEPS):
        setting = float(np.clip(guess, low + (high - low) / 256, high - (high - low) / 256))
        stage = fits([setting] * layers)
        found = measured(stage)
        if found <= target:
            if best is None or found > best.found[0]:
                best = Calibrated(stage, [setting] * layers, [found])
            low, below = setting, found
            if found >= target - tolerance:
                break
        else:
            high, above = setting, found
        if below is not None and above is not None:  # nearer to that whose measure is nearer
            part = (curve(aim) - curve(below)) / (curve(above) - curve(below))
            guess = low + float(np.clip(part, 0.1, 0.9)) * (high - low)
        else:
            guess = (low + high) / 2 if first is None else setting + 1.25 * (aim - found)
            first = None
    if best is None:
        stage = fits([_LEAST] * layers)
        best = Calibrated(stage, [_LEAST] * layers, [measured(stage)])
    return best
