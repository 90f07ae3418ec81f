"""How a layer carries a small change of the residual on: its Jacobian at the last token of passages.

Rounding has no slope, so the derivatives are those of the float network with straight-through gradients; how well they
foretell what the exact model does is measured in docs/steering.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.func import jacrev
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from models.checkpoint import Model
from models.train.initial import network_of
from models.train.network import BitNet, Layer

__all__ = ["jacobians", "mean_jacobians"]


def mean_jacobians(model: Model, passages: Sequence[Sequence[int]]) -> np.ndarray:
    """`jacobians` averaged over passages of token ids: float64 [layers - 1, hidden, hidden]."""
    network = network_of(model)
    total = np.zeros((model.config.layers - 1, model.config.hidden_size, model.config.hidden_size))
    for ids in tqdm(passages, "Jacobians", unit="passage", file=sys.stderr, disable=not sys.stderr.isatty()):
        total += jacobians(network, ids)
    return total / len(passages)


def jacobians(network: BitNet, ids: Sequence[int]) -> np.ndarray:
    """d h[l+1] / d h[l] of the last token's residual behind layers l and l + 1: float64 [layers - 1, hidden, hidden].

    What earlier tokens left in the cache stays as it is.
    """
    cos, sin = network.cos[:len(ids)], network.sin[:len(ids)]
    first, *others = network.model.layers
    with torch.no_grad():
        x = first(network.model.embed_tokens(torch.tensor([ids])), cos, sin, network.dtype)[0]
    found = []
    for layer in others:
        with sdpa_kernel(SDPBackend.MATH):  # the one that can be differentiated for all outputs at once
            found.append(jacrev(lambda last, layer=layer, x=x: _last(network, layer, x[:, :-1], last))(x[0, -1]))
        with torch.no_grad():
            x = layer(x, cos, sin, network.dtype)[0]
    return torch.stack(found).double().numpy()


def _last(network: BitNet, layer: Layer, before: Tensor, last: Tensor) -> Tensor:
    """A layer's residual at the last token [hidden], without the feed-forward of the tokens `before` it."""
    x = torch.cat([before, last[None, None]], dim=1)
    time = x.shape[1]
    attended = layer.self_attn(layer.input_layernorm(x), network.cos[:time], network.sin[:time], network.dtype)
    y = x[:, -1:] + attended[:, -1:]
    return (y + layer.mlp(layer.post_attention_layernorm(y), network.dtype)[0])[0, 0]
