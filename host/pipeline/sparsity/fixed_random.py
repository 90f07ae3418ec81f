"""A control: channels of a linear input are silent that were drawn once, whatever they hold. A tap does it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from host.pipeline.site import Point, channels_of
from host.pipeline.sparsity.hashed import keys
from host.pipeline.sparsity.random_per_token import RandomPerToken
from host.pipeline.sparsity.ranked_mask import kept_channels, largest
from host.pipeline.stage import Stage
from models.checkpoint import Model
from models.golden.scalar import Scalar
from models.golden.tap import GAIN_ONE, Tap, neutral_tap

__all__ = ["FixedRandom"]


class FixedRandom(RandomPerToken):
    """As random-per-token, but of all channels, and the same ones for every row."""

    method = "fixed-random"

    def lower(self, point: Point, model: Model) -> Tap:
        channels = channels_of(point.site, model.config)
        share = float(self.shares[point.layer, self.sites.index(point.site)])
        drawn = keys(int(self.tensors["seeds"][point.layer]), point, channels)
        stays = largest(drawn, kept_channels(share, channels))[0]
        return replace(neutral_tap(channels), gain=np.where(stays, GAIN_ONE, 0).astype(np.int16))

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        return Stage.apply(self, point, x, unit, model)
