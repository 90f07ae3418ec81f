from dataclasses import replace

import numpy as np

from host.pipeline.fitting import Fitted
from host.pipeline.observing import linear_inputs
from host.pipeline.site import Site
from host.pipeline.stage import Order, Stage
from host.pipeline.texts import text_ids
from models.dequantise import float_model
from models.golden.rounding import round_shift, saturate
from models.golden.tap import GAIN_ONE, neutral_tap


class ScaledDown(Stage):
    """Scales the inputs of `down` so that the channels of a layer are about equally large."""

    kind, method, order, sites = "sparsity", "scaled-down", Order.GAIN, (Site.DOWN,)

    @staticmethod
    def shapes(config):
        return {"scales": (config.layers, config.ffn_size)}

    @classmethod
    def fit(cls, model, *, text, tokens):
        seen = linear_inputs(float_model(model), np.array(text_ids(model, text)[:tokens]))
        sizes = np.array([np.abs(layer[Site.DOWN]).mean(axis=0) + 1e-3 for layer in seen])
        return Fitted({"scales": sizes.mean(axis=1, keepdims=True) / sizes})

    def gains(self, layer):
        return np.rint((1 + self.strength * (self.tensors["scales"][layer] - 1)) * GAIN_ONE).astype(np.int64)

    def lower(self, point, model):
        gains = self.gains(point.layer)
        return None if np.abs(gains).max() > 32767 else replace(neutral_tap(gains.size), gain=gains.astype(np.int16))

    def apply(self, point, x, unit, model):
        return saturate(round_shift(x * self.gains(point.layer), 13), 40)
