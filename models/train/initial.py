"""What a run begins from instead of random weights: a converted model, or a folder that `models.train` wrote.

A converted model has trits and scales, no masters. Masters are made that quantise to the very same: trit · scale / (the
share of trits that are not zero), whose mean magnitude is the scale.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from models.checkpoint import Model, load_model
from models.checkpoint_writer import METADATA
from models.config import ACTIVATIONS, NORMS, ModelConfig, resolve_model
from models.dequantise import float_model
from models.errors import ModelError
from models.formats.source import FloatLinear, FloatModel
from models.train.export import load
from models.train.network import BitNet
from models.train.quantisers import FLOOR
from models.train.recipe import Shape
from models.train.tokenizer import load_tokenizer

__all__ = ["Initial", "masters", "network_of", "read_initial"]

_GAINS = {"input": "input_layernorm", "post_attention": "post_attention_layernorm",
          "attn_sub": "self_attn.attn_sub_norm", "ffn_sub": "mlp.ffn_sub_norm"}
_FREE = ("context",)
"""What a run may choose anew: no weight depends on it."""


class Initial(NamedTuple):
    """state: all parameters of a `BitNet` of `shape`."""

    state: dict[str, Tensor]
    shape: Shape
    tokenizer: Tokenizer


def read_initial(name: str | Path, wanted: Shape) -> Initial:
    """The weights of a model folder (or `demo`), converted or trained, for a run of the shape `wanted`.

    `ModelError` where `wanted` has another shape, vocabulary, activation or norm; the context is that of `wanted`.
    """
    folder = resolve_model(name)
    if (folder / METADATA).exists():
        model = load_model(folder)
        shape = _shape(folder, model.config)
        initial = Initial(_state(float_model(model)), shape, load_tokenizer(folder / "tokenizer.json"))
    else:
        network, tokenizer = load(folder)
        initial = Initial(network.state_dict(), network.shape, tokenizer)
    for field, value in vars(initial.shape).items():
        if field not in _FREE and value != getattr(wanted, field):
            raise ModelError(f"{folder} has {field} {value}, but the run wants {getattr(wanted, field)}")
    return initial._replace(shape=replace(initial.shape, context=wanted.context))


def network_of(model: Model) -> BitNet:
    """A converted model as a network in float32 with straight-through gradients, its weights fixed, for what is fitted
    to a model by gradients. `ModelError` for a shape that networks here do not have."""
    shape = _shape(model.folder or model.config.name, model.config)
    network = BitNet(shape)
    network.load_state_dict(_state(float_model(model)))
    return network.eval().requires_grad_(False)


def masters(linear: FloatLinear) -> np.ndarray:
    """float32 [out, in] that `ternarise` makes these trits and this scale of; `ModelError` for too small a scale."""
    if linear.scale < FLOOR:
        raise ModelError(f"expected scales of at least {FLOOR:g}, found {linear.scale:.3g}")
    share = np.count_nonzero(linear.trits) / linear.trits.size
    return (linear.trits * (linear.scale / max(share, 1 / linear.trits.size))).astype(np.float32)


def _shape(folder: Path | str, config: ModelConfig) -> Shape:
    for name, known in ((config.norm, NORMS[:1]), (config.activation, ACTIVATIONS)):
        if name not in known:
            raise ModelError(f"{folder} has {name}, whose parameters are not in it: give the folder it was "
                             "converted from")
    if not config.sub_norms or not config.tied_head:
        raise ModelError(f"{folder} has no {'tied head' if config.sub_norms else 'sub-norms'}, as networks here have")
    return Shape(vocab=config.vocab_size, hidden=config.hidden_size, ffn=config.ffn_size, layers=config.layers,
                 heads=config.heads, kv_heads=config.kv_heads, head_dim=config.head_dim, context=config.context,
                 rope_theta=config.rope_theta, eps=config.rms_eps, activation=config.activation)


def _state(model: FloatModel) -> dict[str, Tensor]:
    arrays: dict[str, np.ndarray] = {"model.embed_tokens.weight": np.asarray(model.embedding),
                                     "model.norm.weight": model.final_gains}
    for index, layer in enumerate(model.layers):
        for name, linear in layer.linears.items():
            block = "mlp" if name in ("gate", "up", "down") else "self_attn"
            arrays[f"model.layers.{index}.{block}.{name}_proj.weight"] = masters(linear)
        for name, gains in layer.gains.items():
            arrays[f"model.layers.{index}.{_GAINS[name]}.weight"] = gains
    return {name: torch.tensor(array, dtype=torch.float32) for name, array in arrays.items()}
