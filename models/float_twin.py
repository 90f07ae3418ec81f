"""The model in floating point, with transformers' BitNet semantics: the oracle that the integers are held to.

Weights are trits times a scale, activations are quantised to int8 per token before every ternary layer, and
everything else stays in `dtype`. float32 reproduces `BitNetForCausalLM` and `LlamaForCausalLM` in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from models.config import ACTIVATIONS, NORMS, ModelConfig
from models.errors import ModelError
from models.formats.source import FloatLayer, FloatLinear, FloatModel, GroupedLinear

__all__ = ["FloatRun", "FloatStream", "Given", "Observer", "float_layer", "float_logits", "run_float"]

_BLOCK = 1 << 20  # trits of a matrix that are floats at a time
_ABSMAX_FLOOR = 1e-5  # transformers' clamp of max|x|


class FloatRun(NamedTuple):
    """logits: [n, vocab]; residual_max: the largest |h| of the residual stream, the embedding included."""

    logits: np.ndarray
    residual_max: float


def float_logits(model: FloatModel, ids: np.ndarray, dtype: type = np.float32, *, int8: bool = True) -> np.ndarray:
    """Logits [n, vocab] after each of the n token ids of one sequence."""
    return run_float(model, ids, dtype, int8=int8).logits


Observer = Callable[[int, str, np.ndarray], None]
"""Called with layer, site ("qkv", "o", "gate_up", "down") and a linear layer's input [n, channels], not quantised."""


Look = Callable[[str, np.ndarray], None]  # an `Observer` of one layer

Given = Callable[[str, np.ndarray], np.ndarray]
"""Of a site and a linear layer's input there what the layer is given."""


def _ignore(site: str, x: np.ndarray) -> None:
    """Nobody looks."""


def run_float(model: FloatModel, ids: np.ndarray, dtype: type = np.float32,
              observe: Observer | None = None, *, int8: bool = True) -> FloatRun:
    """Run one sequence of token ids [n] from position 0, all positions at once; `ModelError` for one with a norm or
    an activation function that a stage computes. int8: of the layers' inputs; else they stay as they are, as in a
    model that was trained so."""
    for name, known in ((model.config.norm, NORMS[:1]), (model.config.activation, ACTIVATIONS)):
        if name not in known:
            raise ModelError(f"{model.config.name} has {name}, which the float model here does not compute")
    stream = FloatStream(model, ids, dtype, int8=int8)
    for index, layer in enumerate(model.layers):
        stream.layer(layer, partial(observe, index) if observe is not None else _ignore)
    head = model.embedding if model.head is None else model.head
    logits = _rms_norm(stream.h, model.final_gains, model.config.rms_eps) @ np.asarray(head, dtype).T
    return FloatRun(logits, stream.residual_max)


class FloatStream:
    """The residual stream of one sequence of token ids [n], taken through the layers one by one, as they come.

    Every norm is taken for RMSNorm, every activation function but ReLU² for SiLU: that is enough to see how large the
    residual grows. h: [n, hidden]; residual_max: the largest |h| so far, infinity where there was a NaN.
    """

    def __init__(self, model: FloatModel, ids: np.ndarray, dtype: type = np.float32, *, int8: bool = True):
        self._config, self._quantised = model.config, _quantise if int8 else _as_it_is
        self.h = model.embedding[np.asarray(ids)].astype(dtype)
        self._rotation = _rotation(model.config, len(self.h), dtype)
        self.residual_max = _largest(self.h)

    def layer(self, layer: FloatLayer, look: Look = _ignore) -> None:
        """Go through the next layer. look: called with each site and its input."""
        def given(site: str, x: np.ndarray) -> np.ndarray:
            look(site, x)
            return x

        for h in _residuals(self._config, layer, self.h, self._rotation, given, self._quantised):
            self.h = h
            self.residual_max = max(self.residual_max, _largest(self.h))


def float_layer(config: ModelConfig, layer: FloatLayer, h: np.ndarray, given: Given) -> np.ndarray:
    """One sequence's residual [n, hidden] behind a layer, from that in front of it; norm and activation function as in
    `FloatStream`."""
    *_, h = _residuals(config, layer, h, _rotation(config, len(h), h.dtype.type), given, _quantise)
    return h


def _residuals(config: ModelConfig, layer: FloatLayer, h: np.ndarray, rotation: tuple[np.ndarray, np.ndarray],
               given: Given, quantised: _Quantise) -> Iterator[np.ndarray]:
    """The residual behind attention, then behind the feed-forward block."""
    x = _rms_norm(h, layer.gains["input"], config.rms_eps)
    yield (h := h + _attention(config, layer, x, *rotation, given, quantised))
    x = _rms_norm(h, layer.gains["post_attention"], config.rms_eps)
    yield h + _feed_forward(config, layer, x, given, quantised)


def _largest(x: np.ndarray) -> float:
    largest = float(np.abs(x).max())
    return math.inf if math.isnan(largest) else largest


def _rms_norm(x: np.ndarray, gains: np.ndarray, eps: float) -> np.ndarray:
    mean = np.square(x).mean(axis=-1, keepdims=True)
    return gains.astype(x.dtype) * (x / np.sqrt(mean + x.dtype.type(eps)))


class _Quantised(NamedTuple):
    """int8 values held in floating point, exact in sums below 2**24, and the value of one unit of each row."""

    q: np.ndarray
    unit: np.ndarray


_Quantise = Callable[[np.ndarray], _Quantised]


def _as_it_is(x: np.ndarray) -> _Quantised:
    return _Quantised(x, np.ones_like(x[..., :1]))


def _quantise(x: np.ndarray) -> _Quantised:
    scale = 127 / np.maximum(np.abs(x).max(axis=-1, keepdims=True), x.dtype.type(_ABSMAX_FLOOR))
    return _Quantised(np.clip(np.rint(x * scale), -128, 127), 1 / scale)


def _linear(x: _Quantised, linear: FloatLinear | GroupedLinear) -> np.ndarray:
    if isinstance(linear, GroupedLinear):
        rows = max(1, _BLOCK // linear.signs.shape[1])
        parts = [x.q @ linear.values(slice(start, start + rows)).T.astype(x.q.dtype)
                 for start in range(0, len(linear.signs), rows)]
        return np.concatenate(parts, axis=1) * x.unit
    rows = max(1, _BLOCK // linear.trits.shape[1])  # as floats a few at a time; the sums are exact
    blocks = [x.q @ linear.trits[start:start + rows].T.astype(x.q.dtype)
              for start in range(0, len(linear.trits), rows)]
    return np.concatenate(blocks, axis=1) * (x.unit * x.q.dtype.type(linear.scale))


def _rotation(config: ModelConfig, count: int, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin [count, head_dim / 2] of the positions' angles."""
    exponents = np.arange(0, config.head_dim, 2) / config.head_dim
    angles = np.outer(np.arange(count), config.rope_theta**-exponents)
    return np.cos(angles).astype(dtype), np.sin(angles).astype(dtype)


def _rotate(x: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    """RoPE on [heads, n, dim], pairing channel i with i + dim / 2."""
    low, high = np.split(x, 2, axis=-1)
    return np.concatenate([low * cos - high * sin, high * cos + low * sin], axis=-1)


def _attention(config: ModelConfig, layer: FloatLayer, x: np.ndarray, cos: np.ndarray, sin: np.ndarray,
               given: Given, quantise: _Quantise) -> np.ndarray:
    quantised, n = quantise(given("qkv", x)), len(x)

    def heads(name: str, count: int) -> np.ndarray:  # [count, n, head_dim]
        x = _linear(quantised, layer.linears[name]).reshape(n, count, config.head_dim)
        if config.qk_norm and name in layer.gains:
            x = _rms_norm(x, layer.gains[name], config.rms_eps)
        return x.swapaxes(0, 1)

    group = config.heads // config.kv_heads
    q = _rotate(heads("q", config.heads), cos, sin)
    k = np.repeat(_rotate(heads("k", config.kv_heads), cos, sin), group, axis=0)
    v = np.repeat(heads("v", config.kv_heads), group, axis=0)
    scores = q @ k.swapaxes(1, 2) * x.dtype.type(config.head_dim**-0.5)
    scores[:, ~np.tri(n, dtype=bool)] = -np.inf
    p = np.exp(scores - scores.max(axis=-1, keepdims=True))
    out = (p / p.sum(axis=-1, keepdims=True) @ v).swapaxes(0, 1).reshape(n, -1)
    if config.sub_norms:
        out = _rms_norm(out, layer.gains["attn_sub"], config.rms_eps)
    return _linear(quantise(given("o", out)), layer.linears["o"])


def _feed_forward(config: ModelConfig, layer: FloatLayer, x: np.ndarray, given: Given,
                  quantise: _Quantise) -> np.ndarray:
    quantised = quantise(given("gate_up", x))
    gate, up = (_linear(quantised, layer.linears[name]) for name in ("gate", "up"))
    if config.activation == "relu2":
        gate = np.square(np.maximum(gate, 0))
    else:
        gate = gate / (1 + np.exp(-np.maximum(gate, -80)))  # SiLU; exp(80) is finite in float32
    out = gate * up
    if config.sub_norms:
        out = _rms_norm(out, layer.gains["ffn_sub"], config.rms_eps)
    return _linear(quantise(given("down", out)), layer.linears["down"])
