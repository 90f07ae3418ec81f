"""A whole model, token by token, out of the golden units: the definition everything else equals.

docs/numerics.md §11 draws the data flow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from models.checkpoint import Model
from models.golden.activations import Activation, activated_product
from models.golden.attention import attention
from models.golden.gated import gated_product
from models.golden.head import HEAD_LEVELS, grouped_logits, logits
from models.golden.head_norm import head_norm
from models.golden.head_quant import QUERY_BITS, head_quant
from models.golden.norm_quant import norm_constants, normalise, quantise
from models.golden.residual import embed, residual_add
from models.golden.rope import ROPE_FRACTION, rope
from models.golden.rounding import round_shift, saturate
from models.golden.scalar import Scalar, constant, div, from_word, log2_e_over_root, mul, shift, to_word
from models.golden.shortlist import shortlist
from models.golden.tap import Tap, tap
from models.golden.ternary_matmul import grouped_matmul, ternary_matmul
from models.machine.build import SHORTLIST
from models.machine.tables import rope_table
from models.model import GroupedMatrix, GroupedTable, Matrix
from models.ternary_groups import unpack_groups
from models.ternary_head import TernaryHead, ternary_head

__all__ = ["INPUT_BITS", "PRODUCT_BITS", "SUM_BITS", "GoldenModel", "KVCache", "RowNorm", "RowStage", "TapPoint",
           "matrix_sums", "normed_heads"]

RowStage = Callable[[np.ndarray, Scalar], np.ndarray]
"""A stage at a point: int64 [rows, channels] in units of a scalar [rows] to such rows in the same units."""
RowNorm = Callable[[np.ndarray, Scalar], tuple[np.ndarray, Scalar]]
"""A norm in front of a linear layer: the residual's rows and their unit to its own."""

SUM_BITS, INPUT_BITS, PRODUCT_BITS = 32, 40, 62
"""What a stage gives at most: for sums and the residual, for what is about to be quantised, for a gated product."""


class TapPoint(NamedTuple):
    """Where taps and stages act: a layer and "qkv", "o", "gate_up", "down" (linear inputs) or "residual" (its output).

    The head's input is site "head" of layer `config.layers`. Stages alone act at "attention_norm" and "ffn_norm" (what
    the norms are given), "gate" (its sums) and "product" (of gate and up, before its norm).
    """

    layer: int
    site: str


@dataclass
class KVCache:
    """Keys and values of one layer: int [kv_heads, tokens, dim] with memory-word scales [kv_heads, tokens]."""

    keys: list[np.ndarray] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    key_scales: list[np.ndarray] = field(default_factory=list)
    value_scales: list[np.ndarray] = field(default_factory=list)

    def append(self, k: np.ndarray, k_scale: Scalar, v: np.ndarray, v_scale: Scalar) -> None:
        """One token: k, v [kv_heads, dim], scales [kv_heads], rounded to memory words."""
        self.keys.append(k)
        self.values.append(v)
        self.key_scales.append(to_word(k_scale))
        self.value_scales.append(to_word(v_scale))

    def stacked(self) -> tuple[np.ndarray, Scalar, np.ndarray, Scalar]:
        """keys, key scales, values, value scales of all tokens so far."""
        return (np.stack(self.keys, axis=1), from_word(np.stack(self.key_scales, axis=1)),
                np.stack(self.values, axis=1), from_word(np.stack(self.value_scales, axis=1)))


def matrix_sums(q: np.ndarray, matrix: Matrix) -> np.ndarray:
    """The product of a linear layer: int8 activations [rows, inputs] to sums, int64 [rows, outputs]."""
    if isinstance(matrix, GroupedMatrix):
        return grouped_matmul(q, matrix.signs(), matrix.mantissas, matrix.shift)
    return ternary_matmul(q, matrix.trits())


def normed_heads(model: Model, layer: int, name: str, x: np.ndarray, unit: Scalar) -> tuple[np.ndarray, Scalar]:
    """Heads of "q" or "k", int64 [rows, heads, dim] in units of `unit` [rows], behind their norm, if there is one."""
    if not model.config.qk_norm:
        return x, unit
    gains, exponent = model.layers[layer].gains[name]
    return head_norm(x, unit, gains, norm_constants(model.config.head_dim, exponent, model.config.rms_eps))


class GoldenModel:
    """Steps a `Model` over token ids. One row at a time, straight from the definitions; slow by intent.

    taps, stages: what acts at points; where stages do, no tap does. norms: those that stand in the place of RMSNorm, by
    what they are given; activations: in the place of the gate's, at "gate".
    """

    def __init__(self, model: Model, *, kv_bits: int = 8, taps: Mapping[TapPoint, Tap] | None = None,
                 stages: Mapping[TapPoint, Sequence[RowStage]] | None = None,
                 norms: Mapping[TapPoint, RowNorm] | None = None,
                 activations: Mapping[TapPoint, Activation] | None = None):
        self.model, self.config, self.kv_bits = model, model.config, kv_bits
        self.taps, self.stages, self.norms = dict(taps or {}), dict(stages or {}), dict(norms or {})
        self.activations = dict(activations or {})
        self.caches = [KVCache() for _ in model.layers]
        self.rope_table = rope_table(self.config.rope_theta, self.config.head_dim, self.config.context)
        self.saturations = 0
        self.residual_max = 0

    @property
    def position(self) -> int:
        """Tokens in the cache."""
        return len(self.caches[0].keys)

    def feed(self, token: int) -> None:
        """Append one token."""
        self._residual(token)

    def step(self, token: int) -> np.ndarray:
        """Append one token and return its integer logits [vocab]."""
        q, scale = self._head_input(self._residual(token), HEAD_LEVELS)
        head, scales = self.model.head, from_word(self.model.head_scales)
        if isinstance(head, GroupedTable):
            return grouped_logits(q, scale, unpack_groups(head.packed), head.mantissas, scales)[0]
        return logits(q, scale, head, scales)[0]

    def step_listed(self, token: int) -> tuple[np.ndarray, np.ndarray]:
        """Append one token; the ids of its shortlist, in that order, and their integer logits."""
        h, copy = self._residual(token), self._ternary_head
        ids = shortlist(self._head_input(h, 127)[0], copy.trits(), copy.scales, SHORTLIST)[0]
        q, scale = self._head_input(h, HEAD_LEVELS)
        return ids, logits(q, scale, self.model.head[ids], from_word(self.model.head_scales[ids]))[0]

    @cached_property
    def _ternary_head(self) -> TernaryHead:
        return ternary_head(self.model.head, self.model.head_scales)

    def _head_input(self, h: np.ndarray, levels: int) -> tuple[np.ndarray, Scalar]:
        point = TapPoint(self.config.layers, "head")
        return self._norm(h, self._residual_unit(), self.model.final_gains, point, levels=levels)

    def _residual(self, token: int) -> np.ndarray:
        """Append one token; the residual [1, hidden] behind all layers."""
        model = self.model
        h = embed(model.embedding[token][None], model.embedding_exponents[token][None], model.residual_fraction_bits)
        for index in range(len(model.layers)):
            h = self._layer(index, h)
        return h

    def _layer(self, index: int, h: np.ndarray) -> np.ndarray:
        config, layer = self.config, self.model.layers[index]
        q_in, unit = self._norm(self._staged(TapPoint(index, "attention_norm"), h, self._residual_unit(), SUM_BITS),
                                self._residual_unit(), layer.gains["input"], TapPoint(index, "qkv"),
                                norm=self.norms.get(TapPoint(index, "attention_norm")))
        out, out_unit = self._attend(index, q_in, unit)
        q_in, unit = self._norm(out, out_unit, layer.gains.get("attn_sub"), TapPoint(index, "o"))
        h = self._add(index, h, q_in, unit, "o", None)
        q_in, unit = self._norm(self._staged(TapPoint(index, "ffn_norm"), h, self._residual_unit(), SUM_BITS),
                                self._residual_unit(), layer.gains["post_attention"], TapPoint(index, "gate_up"),
                                norm=self.norms.get(TapPoint(index, "ffn_norm")))
        (gate, gate_unit), (up, up_unit) = (self._linear(index, name, q_in, unit) for name in ("gate", "up"))
        gate = self._staged(TapPoint(index, "gate"), gate, gate_unit, SUM_BITS)
        if (activation := self.activations.get(TapPoint(index, "gate"))) is not None:
            product, product_unit = activated_product(gate, gate_unit, up, up_unit, activation)
        else:
            product, product_unit = gated_product(gate, gate_unit, up, up_unit, config.activation)
        product = self._staged(TapPoint(index, "product"), product, product_unit, PRODUCT_BITS)
        q_in, unit = self._norm(product, product_unit, layer.gains.get("ffn_sub"), TapPoint(index, "down"))
        point = TapPoint(index, "residual")
        h = self._add(index, h, q_in, unit, "down", None if point in self.stages else self.taps.get(point))
        return self._staged(point, h, self._residual_unit(), SUM_BITS)

    def _staged(self, point: TapPoint, x: np.ndarray, unit: Scalar, bits: int) -> np.ndarray:
        for stage in self.stages.get(point, ()):
            x = saturate(stage(x, unit), bits)
        return x

    def _attend(self, index: int, q_in: np.ndarray, unit: Scalar) -> tuple[np.ndarray, Scalar]:
        config, cache = self.config, self.caches[index]
        table = self.rope_table[self.position if index == 0 else len(self.caches[0].keys) - 1][None]
        (q, q_unit), (k, k_unit), (v, v_unit) = (self._linear(index, name, q_in, unit) for name in ("q", "k", "v"))
        q, q_unit = normed_heads(self.model, index, "q", q.reshape(1, config.heads, config.head_dim), q_unit)
        k, k_unit = normed_heads(self.model, index, "k", k.reshape(1, config.kv_heads, config.head_dim), k_unit)
        q, k = rope(q, table), rope(k, table)
        q, q_scale = head_quant(q, shift(q_unit, -ROPE_FRACTION), QUERY_BITS)
        k, k_scale = head_quant(k, shift(k_unit, -ROPE_FRACTION), self.kv_bits)
        v, v_scale = head_quant(v.reshape(1, config.kv_heads, config.head_dim), v_unit, self.kv_bits)
        cache.append(k[0], k_scale[0], v[0], v_scale[0])
        keys, key_scales, values, value_scales = cache.stacked()
        out, exponents = attention(q[0], q_scale[0], keys, key_scales, values, value_scales,
                                   log2_e_over_root(config.head_dim), kv_bits=self.kv_bits)
        top = exponents.max()
        align = np.repeat(top - exponents, config.heads // config.kv_heads)[:, None]
        unit = shift(constant(1), top)
        return round_shift(out, align).reshape(1, -1), Scalar(unit.m[None], unit.e[None])

    def _linear(self, index: int, name: str, q_in: np.ndarray, unit: Scalar) -> tuple[np.ndarray, Scalar]:
        linear = self.model.layers[index].linears[name]
        return matrix_sums(q_in, linear), mul(unit, from_word(linear.unit))

    def _norm(self, x: np.ndarray, unit: Scalar, gains: tuple[np.ndarray, int] | None,
              point: TapPoint, levels: int = 127, norm: RowNorm | None = None) -> tuple[np.ndarray, Scalar]:
        if norm is not None:
            y, y_unit = norm(x, unit)
        else:
            mantissas, exponent = gains if gains is not None else (None, 0)
            constants = norm_constants(x.shape[-1], exponent, self.config.rms_eps if gains is not None else None)
            y, y_unit = normalise(x, unit, mantissas, constants)
        if point in self.stages:
            y = self._staged(point, y, y_unit, INPUT_BITS)
        elif point in self.taps:
            y = tap(y, self.taps[point], div(constant(1), y_unit))
        return quantise(y, y_unit, levels=levels)

    def _residual_unit(self) -> Scalar:
        unit = constant(2.0**-self.model.residual_fraction_bits)
        return Scalar(unit.m[None], unit.e[None])

    def _add(self, index: int, h: np.ndarray, q_in: np.ndarray, unit: Scalar, name: str,
             tap_parameters: Tap | None) -> np.ndarray:
        sums, scale = self._linear(index, name, q_in, unit)
        h, saturated = residual_add(h, sums, scale, self.model.residual_fraction_bits, tap_parameters)
        self.saturations += saturated
        self.residual_max = max(self.residual_max, int(np.abs(h).max()))
        return h
