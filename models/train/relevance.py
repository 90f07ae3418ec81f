"""What a network's output owes to its values: gradients, or the coefficients of layer-wise relevance propagation.

A coefficient times a change of a value estimates what the change does to the output. With gradients that is attribution
patching. RelP takes LRP's coefficients instead, which are gradients of a network that has the same values and in which
some factors are constants: a norm's root mean square (LN-rule), an activation over its argument (Identity-rule),
attention's weights (AH-rule); and a product of two values gives each half of what it would get (Half-rule). All that is
left is linear, so that values times coefficients add up to the output at every depth, but for what rounding adds.
Source: "RelP: Faithful and Efficient Circuit Discovery via Relevance Patching", table of propagation rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from models.train.network import Attention, BitNet, FeedForward, RMSNorm, rotate
from models.train.quantisers import quantise_activations

__all__ = ["GRADIENTS", "RELEVANCE", "SITES", "Rules", "coefficients", "run"]

SITES = ("o", "down", "residual")
"""Where values are looked at: the inputs of both output matrices and the residual behind a layer."""

Change = Callable[[int, str, Tensor], Tensor]
"""What stands in a value's place, from (layer, site, values [batch, time, channels])."""


class Rules(NamedTuple):
    """Which rules stand in the place of the gradient."""

    norms: bool = False
    activations: bool = False
    weights: bool = False
    products: bool = False


GRADIENTS = Rules()
RELEVANCE = Rules(norms=True, activations=True, weights=True, products=True)


def run(network: BitNet, ids: Tensor, rules: Rules = GRADIENTS, change: Change = lambda layer, site, x: x) -> Tensor:
    """Logits [batch, vocab] after the last of ids [batch, time]: those of `network`, whatever the rules, which act on
    the way back alone."""
    cos, sin = network.cos[:ids.shape[1]], network.sin[:ids.shape[1]]
    x = network.model.embed_tokens(ids)
    for index, layer in enumerate(network.model.layers):
        y = _attended(layer.self_attn, _normed(layer.input_layernorm, x, rules), cos, sin, rules)
        x = x + layer.self_attn.o_proj(*quantise_activations(change(index, "o", y)), network.dtype)
        y = _fed_forward(layer.mlp, _normed(layer.post_attention_layernorm, x, rules), rules)
        x = change(index, "residual", x + layer.mlp.down_proj(*quantise_activations(change(index, "down", y)),
                                                              network.dtype))
    return F.linear(_normed(network.model.norm, x[:, -1], rules), network.model.embed_tokens.weight)


def coefficients(network: BitNet, ids: Tensor, output: Callable[[Tensor], Tensor], rules: Rules
                 ) -> tuple[dict[tuple[int, str], Tensor], dict[tuple[int, str], Tensor]]:
    """Values and coefficients by (layer, site), [batch, time, channels], for one number: `output` of the logits."""
    values: dict[tuple[int, str], Tensor] = {}

    def keep(layer: int, site: str, x: Tensor) -> Tensor:
        values[layer, site] = x if x.requires_grad else x.detach().requires_grad_()
        return values[layer, site]

    with torch.enable_grad():
        found = torch.autograd.grad(output(run(network, ids, rules, keep)), list(values.values()))
    return ({place: x.detach() for place, x in values.items()}, dict(zip(values, found, strict=True)))


def _normed(norm: RMSNorm, x: Tensor, rules: Rules) -> Tensor:
    factor = torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + norm.eps)
    return x * (factor.detach() if rules.norms else factor) * norm.weight


def _attended(attention: Attention, x: Tensor, cos: Tensor, sin: Tensor, rules: Rules) -> Tensor:
    """What `o_proj` takes."""
    batch, time, _ = x.shape
    shape, quantised = attention.shape, quantise_activations(x)
    q, k, v = (projection(*quantised, torch.float32).view(batch, time, -1, shape.head_dim).transpose(1, 2)
               for projection in (attention.q_proj, attention.k_proj, attention.v_proj))
    k, v = (each.repeat_interleave(shape.heads // shape.kv_heads, dim=1) for each in (rotate(k, cos, sin), v))
    scores = rotate(q, cos, sin) @ k.transpose(-1, -2) * shape.head_dim**-0.5
    future = torch.ones(time, time, dtype=torch.bool).triu(1)
    weights = scores.masked_fill(future, -torch.inf).softmax(dim=-1)
    y = (weights.detach() if rules.weights else weights) @ v
    return _normed(attention.attn_sub_norm, y.transpose(1, 2).reshape(batch, time, -1), rules)


def _fed_forward(block: FeedForward, x: Tensor, rules: Rules) -> Tensor:
    """What `down_proj` takes."""
    quantised = quantise_activations(x)
    gate, up = block.gate_proj(*quantised, torch.float32), block.up_proj(*quantised, torch.float32)
    active = block.activation(gate)
    if rules.activations:  # the value stays, and is its argument times a constant
        active = gate * torch.where(gate == 0, torch.zeros_like(gate), active / gate).detach()
    product = active * up
    if rules.products:
        product = (product + product.detach()) / 2
    return _normed(block.ffn_sub_norm, product, rules)
