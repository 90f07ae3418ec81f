"""Attention weights as a device computed them, which it never shows: from the integers that it does.

At a stop in front of the query matrix the host sees its input's integers, and the cache holds quantised keys. The
golden model's own functions make queries and softmax numerators of them, so the weights are the device's, bit for bit,
up to the last division: the device divides the weighted sum, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from host.devices.base import Device
from host.pipeline.host_steps import HostSteps
from host.pipeline.site import Point, Site, points_of
from host.runtime import Session
from models.checkpoint import Model
from models.golden.attention import softmax_numerators
from models.golden.head_quant import QUERY_BITS, head_quant
from models.golden.model import matrix_sums, normed_heads
from models.golden.norm_quant import quantise
from models.golden.rope import ROPE_FRACTION, rope
from models.golden.scalar import Scalar, from_word, log2_e_over_root, mul, shift, to_float
from models.machine.tables import rope_table

__all__ = ["AttentionReader", "Seen"]


class Seen(NamedTuple):
    """Of one sequence. weights: float64 [layers, heads, tokens, tokens], the row of a query sums to 1, and a key behind
    it has 0; inputs: what the query, key and value matrices were given, float64 [layers, tokens, hidden]."""

    weights: np.ndarray
    inputs: np.ndarray


class AttentionReader:
    """Reads sequences on a device and tells what every head attended to."""

    def __init__(self, model: Model, device: Device):
        self._model = model
        self._rows: dict[int, list[tuple[np.ndarray, Scalar]]] = {}
        points = points_of(Site.QKV, model.config)
        self._session = Session(model, device, host_steps=HostSteps(model, looks={point: [self._look]
                                                                                  for point in points}))

    def _look(self, point: Point, rows: np.ndarray, unit: Scalar) -> None:
        self._rows.setdefault(point.layer, []).append((rows.copy(), unit))

    def __call__(self, ids: Sequence[int]) -> Seen:
        """One sequence of token ids, from position 0 on; no longer than the context."""
        self._rows.clear()
        self._session.reset()
        self._session.feed(ids)
        found = [self._layer(layer) for layer in range(self._model.config.layers)]
        return Seen(np.stack([weights for weights, _ in found]), np.stack([inputs for _, inputs in found]))

    def _layer(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights [heads, tokens, tokens] and inputs [tokens, hidden] of a layer."""
        config = self._model.config
        parts = self._rows[layer]
        rows = np.concatenate([rows for rows, _ in parts])
        unit = Scalar(*(np.concatenate([np.atleast_1d(getattr(unit, name)) for _, unit in parts]) for name in "me"))
        queries, scales = self._queries(layer, rows, unit)
        cache = self._session.cache(layer)
        keys, key_scales = cache["keys"], from_word(cache["key_scales"])
        score, group = log2_e_over_root(config.head_dim), config.heads // config.kv_heads
        weights = np.zeros((config.heads, len(rows), len(rows)))
        for head in range(config.heads):
            shared = head // group
            for query in range(len(rows)):
                seen = slice(0, query + 1)
                weights[head, query, seen] = softmax_numerators(
                    queries[query, head], scales[query, head], keys[shared, seen], key_scales[shared, seen], score)
        return weights / weights.sum(axis=-1, keepdims=True), rows * to_float(unit)[:, None]

    def _queries(self, layer: int, rows: np.ndarray, unit: Scalar) -> tuple[np.ndarray, Scalar]:
        """Quantised queries, int [tokens, heads, head_dim], and the value of one unit of each [tokens, heads]."""
        config, matrix = self._model.config, self._model.layers[layer].linears["q"]
        inputs, steps = quantise(rows, unit)
        sums = matrix_sums(inputs, matrix).reshape(len(rows), config.heads, config.head_dim)
        sums, unit = normed_heads(self._model, layer, "q", sums, mul(steps, from_word(matrix.unit)))
        turned = rope(sums, rope_table(config.rope_theta, config.head_dim, len(rows)))
        return head_quant(turned, shift(unit, -ROPE_FRACTION), QUERY_BITS)
