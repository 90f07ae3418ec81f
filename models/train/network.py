"""The quantisation-aware network: BitNet b1.58 as in `microsoft/bitnet-b1.58-2B-4T`.

Pre-norm decoder layers with ternary projections, int8 activations, sub-norms before the output and down
projections, a gated feed-forward (ReLU² unless the shape says otherwise), grouped-query attention with
rotate-half RoPE and a tied, unquantised head. Parameter names are those of the Hugging Face checkpoint, so a state
dict is the checkpoint, but for what `models.train.stages` names.
"""

from collections.abc import Sequence
from statistics import NormalDist

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.train.quantisers import quantise_activations, ternarise
from models.train.recipe import Shape

__all__ = ["BitNet", "TernaryLinear", "spread"]


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) · weight over the last axis, in float32."""

    def __init__(self, size: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + self.eps) * self.weight


class SeeDNorm(nn.Module):
    """[tanh(x · beta) · alpha + weight] · x / sqrt(mean(x²) + eps), the channels divided among heads, in float32.

    alpha begins at 1 and beta at 0, so that it begins as RMSNorm and beta has a gradient. Source: "SeeDNorm:
    Self-Rescaled Dynamic Normalization".
    """

    def __init__(self, size: int, eps: float, heads: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.alpha = nn.Parameter(torch.ones(size))
        self.beta = nn.Parameter(torch.zeros(size))
        self.eps, self.heads = eps, heads

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        dots = (x * self.beta).unflatten(-1, (self.heads, -1)).sum(dim=-1, keepdim=True)
        gains = (torch.tanh(dots) * self.alpha.view(self.heads, -1)).flatten(-2) + self.weight
        return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + self.eps) * gains


def block_norm(shape: Shape) -> nn.Module:
    """The norm in front of a layer's block."""
    if shape.norm == "seednorm":
        return SeeDNorm(shape.hidden, shape.eps, shape.norm_heads)
    return RMSNorm(shape.hidden, shape.eps)


class TernaryLinear(nn.Module):
    """A ternary projection without bias; `weight` is the float32 master, shape (outputs, inputs)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs).normal_(std=0.02))

    def forward(self, integers: Tensor, step: Tensor, dtype: torch.dtype) -> Tensor:
        """Product of quantised rows (..., inputs) with unit `step` (..., 1); the matmul runs in `dtype`."""
        trits, value = ternarise(self.weight)
        return F.linear(integers.to(dtype), trits.to(dtype)).float() * (step * value)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """RoPE on (batch, heads, time, head_dim), pairing the halves of the last axis."""
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-high, low), dim=-1) * sin


class Relu2(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x).square()


def mean_and_deviation(x: Tensor) -> tuple[Tensor, Tensor]:
    """Of the last axis, which stays with size 1."""
    mean = x.mean(dim=-1, keepdim=True)
    return mean, (x.square().mean(dim=-1, keepdim=True) - mean.square()).clamp(min=1e-12).sqrt()


class Ash(nn.Module):
    """x · sigmoid(2 alpha (x - mean - z · deviation)), mean and deviation of the last axis; begins near SiLU. Source:
    "Stochastic Adaptive Activation Function"."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(0.5))
        self.z = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        mean, deviation = mean_and_deviation(x)
        return x * torch.sigmoid(2 * self.alpha * (x - mean - self.z * deviation))


class CRReLU(nn.Module):
    """max(0, x) + epsilon · x · exp(-x² / 2). Source: "A Method on Searching Better Activation Functions"."""

    def __init__(self) -> None:
        super().__init__()
        self.epsilon = nn.Parameter(torch.tensor(0.01))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) + self.epsilon * x * torch.exp(-x.square() / 2)


class Spark(nn.Module):
    """relu(x - theta)², theta = mean + z · deviation of the last axis, at least 0; z is the normal quantile above which
    a share `kept` lies, and stays. Source: "Spark Transformer"."""

    def __init__(self, kept: float) -> None:
        super().__init__()
        self.register_buffer("z", torch.tensor(NormalDist().inv_cdf(1 - kept)))

    def forward(self, x: Tensor) -> Tensor:
        mean, deviation = mean_and_deviation(x)
        return F.relu(x - (mean + self.z * deviation).clamp(min=0)).square()


class XCos(nn.Module):
    """x · cos(x). Source: "Neuro-Symbolic Activation Discovery"."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.cos(x)


_ACTIVATIONS = {"relu2": Relu2, "silu": nn.SiLU, "ash": Ash, "crrelu": CRReLU, "x-cos": XCos}


def activation(shape: Shape) -> nn.Module:
    """The gate's activation function."""
    return Spark(shape.kept) if shape.activation == "spark" else _ACTIVATIONS[shape.activation]()


class Attention(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        width = shape.heads * shape.head_dim
        self.q_proj = TernaryLinear(shape.hidden, width)
        self.k_proj = TernaryLinear(shape.hidden, shape.kv_heads * shape.head_dim)
        self.v_proj = TernaryLinear(shape.hidden, shape.kv_heads * shape.head_dim)
        self.o_proj = TernaryLinear(width, shape.hidden)
        self.attn_sub_norm = RMSNorm(width, shape.eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, dtype: torch.dtype, seen: Tensor | None = None) -> Tensor:
        batch, time, _ = x.shape
        quantised = quantise_activations(x)

        def heads(projection: TernaryLinear) -> Tensor:
            y = projection(*quantised, dtype)
            return y.view(batch, time, -1, self.shape.head_dim).transpose(1, 2)

        group = self.shape.heads // self.shape.kv_heads
        q = rotate(heads(self.q_proj), cos, sin).to(dtype)
        k = rotate(heads(self.k_proj), cos, sin).to(dtype).repeat_interleave(group, dim=1)
        v = heads(self.v_proj).to(dtype).repeat_interleave(group, dim=1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, is_causal=seen is None)
        y = self.attn_sub_norm(y.transpose(1, 2).reshape(batch, time, -1))
        return self.o_proj(*quantise_activations(y), dtype)


class FeedForward(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.gate_proj = TernaryLinear(shape.hidden, shape.ffn)
        self.up_proj = TernaryLinear(shape.hidden, shape.ffn)
        self.down_proj = TernaryLinear(shape.ffn, shape.hidden)
        self.activation = activation(shape)
        self.ffn_sub_norm = RMSNorm(shape.ffn, shape.eps)

    def forward(self, x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The block's output, and the products of gate and up that it was made of."""
        quantised = quantise_activations(x)
        y = self.activation(self.gate_proj(*quantised, dtype)) * self.up_proj(*quantised, dtype)
        return self.down_proj(*quantise_activations(self.ffn_sub_norm(y)), dtype), y


class Layer(nn.Module):
    def __init__(self, shape: Shape, dropout: float):
        super().__init__()
        self.input_layernorm = block_norm(shape)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = block_norm(shape)
        self.mlp = FeedForward(shape)
        self.dropout = dropout

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, dtype: torch.dtype,
                seen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The residual behind the layer, and its feed-forward products."""
        y = self.self_attn(self.input_layernorm(x), cos, sin, dtype, seen)
        x = x + F.dropout(y, self.dropout, self.training)
        y, products = self.mlp(self.post_attention_layernorm(x), dtype)
        return x + F.dropout(y, self.dropout, self.training), products


class Decoder(nn.Module):
    def __init__(self, shape: Shape, dropout: float):
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab, shape.hidden)
        nn.init.normal_(self.embed_tokens.weight, std=0.05)
        self.layers = nn.ModuleList(Layer(shape, dropout) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.hidden, shape.eps)


class BitNet(nn.Module):
    """The language model. `model.*` holds the parameters; the head is the transposed embedding.

    `dtype` is the type of matrix products: bfloat16 to train quickly, float32 (the default) for figures.
    """

    def __init__(self, shape: Shape, dropout: float = 0.0, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.shape, self.dtype, self.dropout = shape, dtype, dropout
        self.model = Decoder(shape, dropout)
        exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.float64) / shape.head_dim
        angles = torch.outer(torch.arange(shape.context, dtype=torch.float64), shape.rope_theta**-exponents)
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (batch, time, vocab) in float32 for token ids (batch, time)."""
        return self.forward_products(ids)[0]

    def forward_products(self, ids: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits, and each layer's feed-forward products (batch, time, ffn), in front of the sub-norm."""
        time = ids.shape[1]
        return self.forward_seen(ids, self.cos[:time], self.sin[:time])

    def forward_seen(self, ids: Tensor, cos: Tensor, sin: Tensor,
                     seen: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """As `forward_products`, with rotations that (batch, heads, time, head_dim) takes, and `seen`, True where a
        query attends to a key, for (batch, heads, time, time); None: to all before it and itself."""
        x = F.dropout(self.model.embed_tokens(ids), self.dropout, self.training)
        products = []
        for layer in self.model.layers:
            x, product = layer(x, cos, sin, self.dtype, seen)
            products.append(product)
        x = self.model.norm(x).to(self.dtype)
        return F.linear(x, self.model.embed_tokens.weight.to(self.dtype)).float(), products


def spread(products: Sequence[Tensor]) -> Tensor:
    """Mean magnitude of products over their token's root mean square: between 0 and 1, lower where few carry all.

    It is an L1 penalty that shrinking all products does not lower, as the sub-norm undoes their scale.
    """
    return torch.stack([(y.abs().mean(-1) * (y.square().mean(-1) + 1e-12).rsqrt()).mean() for y in products]).mean()
