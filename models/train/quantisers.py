"""BitNet b1.58 fake quantisation with straight-through gradients.

Both functions return integers held in a floating type together with the factor that turns them back into
values, so that a matrix product can be done on the integers themselves. Integers up to 128 are exact in
bfloat16, hence a bfloat16 product differs from a float32 one only by the rounding of its result.

The arithmetic is that of `transformers`' BitLinear in float32 (half-even rounding, the same clamps).
"""

from torch import Tensor

__all__ = ["FLOOR", "quantise_activations", "ternarise"]

FLOOR = 1e-5
"""Least absmax of a token and least mean magnitude of a weight, as in the reference."""


def ternarise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Trits of a weight matrix and their common value.

    Returns `(trits, step)`: trits in {-1, 0, 1}, shape of `weight`; step a scalar, the mean magnitude. The
    gradient of `trits * step` with respect to `weight` is one everywhere, clamped entries included.
    """
    step = weight.detach().abs().mean().clamp(min=FLOOR)
    scaled = weight / step
    trits = (weight.detach() * (1.0 / step)).round().clamp(-1, 1)
    return trits + (scaled - scaled.detach()), step


def quantise_activations(x: Tensor) -> tuple[Tensor, Tensor]:
    """Int8 rows of activations and the value of one unit of each.

    `x` is (..., features); returns `(integers, step)` with integers in -128..127, shape of `x`, and step of
    shape (..., 1). The gradient of `integers * step` with respect to `x` is one.
    """
    scale = 127.0 / x.detach().abs().amax(dim=-1, keepdim=True).clamp(min=FLOOR)
    scaled = x * scale
    integers = scaled.detach().round().clamp(-128, 127)
    return integers + (scaled - scaled.detach()), 1.0 / scale
