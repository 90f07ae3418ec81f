"""Sizes of a model and the settings of a run: what the command line can set, readable without PyTorch."""

import argparse
import math
from dataclasses import dataclass, fields

from models.config import ACTIVATIONS, HOST_ACTIVATIONS, NORMS
from models.errors import ModelError

__all__ = ["DTYPES", "Recipe", "Shape", "add_recipe_options", "recipe_from"]

DTYPES = ("bfloat16", "float32")
"""By the names that PyTorch has for them."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes of a model. `heads` is a multiple of `kv_heads`; `context` is the longest sequence trained on.
    `activation`: of the gate, one of those of `models.config`. `norm`: of its `NORMS`, in front of each layer's blocks,
    `norm_heads`: among which SeeDNorm divides the channels. `kept`: the share of gates that Spark's threshold would let
    pass, were they normal."""

    vocab: int = 2048
    hidden: int = 256
    ffn: int = 768
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    context: int = 512
    rope_theta: float = 10_000.0
    eps: float = 1e-5
    activation: str = ACTIVATIONS[0]
    norm: str = NORMS[0]
    norm_heads: int = 4
    kept: float = 0.08

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, str) and value <= 0:
                raise ModelError(f"{name} is {value}, but must be positive")
        for name, known in (("norm", NORMS), ("activation", (*ACTIVATIONS, *HOST_ACTIVATIONS))):
            if (value := getattr(self, name)) not in known:
                raise ModelError(f"{name} is {value!r}, but must be one of {', '.join(known)}")
        if self.norm != NORMS[0] and self.hidden % self.norm_heads:
            raise ModelError(f"{self.hidden} channels do not divide among {self.norm_heads} heads of the norm")
        if self.kept >= 1:
            raise ModelError(f"kept is {self.kept}, but must be below 1")
        if self.heads % self.kv_heads:
            raise ModelError(f"{self.heads} heads do not divide among {self.kv_heads} key-value heads")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A run besides its data and shape: `lr` is Muon's peak rate, `embedding_lr` AdamW's.

    A step sees `batch` windows of the context. `decay` is the share of the run over which the rate falls. `dtype`:
    of matrix products, "bfloat16" (fast where the processor has it) or "float32". `l1`: what the feed-forward products'
    spread weighs in the loss at the end, reached in `l1_stages` stages (`l1_factor`).
    """

    steps: int = 1700
    batch: int = 8
    lr: float = 4e-3
    embedding_lr: float = 3e-3
    weight_decay: float = 0.1
    warmup: int = 50
    decay: float = 0.5
    clip: float = 1.0
    dropout: float = 0.05
    l1: float = 0.0
    l1_stages: int = 4
    dtype: str = DTYPES[0]
    seed: int = 0
    log_every: int = 20
    save_every: int = 200

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "warmup", "decay", "l1_stages", "log_every", "save_every"):
            if getattr(self, name) <= 0:
                raise ModelError(f"{name} is {getattr(self, name)}, but must be positive")
        if not 0 <= self.dropout < 1:
            raise ModelError(f"dropout is {self.dropout}, but must be in [0, 1)")
        if not 0 <= self.l1 < math.inf:
            raise ModelError(f"l1 is {self.l1}, but must not be negative")
        if self.dtype not in DTYPES:
            raise ModelError(f"dtype is {self.dtype!r}, but must be one of {', '.join(DTYPES)}")

    def rate(self, step: int) -> float:
        """Learning rate of a step as a fraction of its peak: linear warm-up, flat, then linear to zero.

        Until the fall begins nothing depends on `steps`, so a run that proves slower or faster than planned
        may be resumed with another number of steps.
        """
        return min(1.0, (step + 1) / self.warmup, (self.steps - step) / (self.steps * self.decay))

    def l1_factor(self, step: int) -> float:
        """What the spread of the feed-forward products weighs at a step: 0 to `l1` in stages of equal length.

        The first holds its value, each later one rises by as much along half a sine. Source: ProSparse.
        """
        stage, within = divmod(step * self.l1_stages / self.steps, 1)
        rise = (1 - math.cos(math.pi * within)) / 2 if stage else 1.0
        return self.l1 * (stage + rise) / self.l1_stages


def add_recipe_options(parser: argparse.ArgumentParser, defaults: Recipe) -> None:
    """An option for each setting of a recipe."""
    group = parser.add_argument_group("recipe")
    for field in fields(Recipe):
        group.add_argument(f"--{field.name.replace('_', '-')}", type=field.type, default=getattr(defaults, field.name))


def recipe_from(options: argparse.Namespace) -> Recipe:
    """The recipe of `add_recipe_options`; `ModelError` for one that makes no sense."""
    return Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})
