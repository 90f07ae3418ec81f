"""PPL-p % sparsity: the zeros that a mask may make for p percent more perplexity. Source: Sparsing Law's yardstick."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from host.pipeline.measuring import Measured, Sessions, measure
from host.pipeline.site import Point
from host.pipeline.sparsity.calibration import Fits, to_perplexity
from models.checkpoint import Model

__all__ = ["AtPercent", "at_percent"]


class AtPercent(NamedTuple):
    """reached: percents of perplexity on the text that the setting was found on (`to_perplexity`). zeros, over_plain:
    of another text, zeros over the group's inputs."""

    group: str
    method: str
    setting: float
    reached: float
    zeros: float
    over_plain: float


def at_percent(group: str, method: str, fits: Fits, model: Model, fitting: Sequence[int], scored: Sequence[int],
               percent: float, points: Collection[Point], plain: Measured, sessions: Sessions | None = None
               ) -> AtPercent:
    """Find a setting on one text and measure it on another. plain: the latter, without a mask. sessions: as in
    `measure`."""
    found = to_perplexity(fits, model, fitting, percent, sessions=sessions)
    measured = measure(model, [found.stage], scored, points=points, sessions=sessions)
    return AtPercent(group, method, found.sparsities[0], found.found[0], measured.zeros,
                     float(np.exp((measured.nll - plain.nll) / len(measured.losses))))
