"""Condition numbers of the ternary matrices, beside those of random matrices of the same shape and density.

The source takes a tensor's condition number, its largest singular value over its smallest, for a sign of how much it
has learnt, and fine-tunes the tensors with the lowest so as to forget little ("The Condition Number as a
Scale-Invariant Proxy for Information Encoding in Neural Units", KappaTune). Ternary weights change it, so it is taken
of trits times scale, whose scale drops out.
"""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np

from host.pipeline.audit.audit import Audit, add_model, at_least
from models.checkpoint import Model, load_model
from models.config import LINEARS
from models.dequantise import float_model
from models.markdown import markdown_table
from models.progress import working

__all__ = ["Condition", "Conditioned", "condition_number", "conditions", "random_trits"]

_DRAWS = 9


class Conditioned(NamedTuple):
    """A matrix: `name` of a layer, its shape [out, in], its density, the share of trits that are not zero.

    number: its condition number, infinity where it is singular. random: those of the random matrices, in order.
    """

    layer: int
    name: str
    shape: tuple[int, int]
    density: float
    number: float
    random: tuple[float, ...]

    @property
    def usual(self) -> float:
        """The median of the random ones."""
        return float(np.median(self.random))


class Condition(Audit):
    """Whether a condition number tells anything that the shape does not."""

    name, summary = "condition", "condition numbers of the ternary matrices"
    description = ("Condition numbers of a model's ternary matrices, by which KappaTune chooses what to fine-tune, "
                   "beside those of random ternary matrices of the same shape and density.")

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Model and draws."""
        add_model(parser)
        parser.add_argument("--draws", type=int, default=_DRAWS, help="random matrices beside each (default: "
                            "%(default)s)")
        parser.add_argument("--seed", type=int, default=0, help="of the random matrices (default: %(default)s)")

    @staticmethod
    def answer(options: argparse.Namespace) -> dict[str, Any]:
        """All matrices, and how far shape alone gives their order."""
        at_least(options, draws=1, seed=0)
        with working("condition numbers"):
            found = conditions(load_model(options.model), options.draws, options.seed)
        return {"draws": options.draws, "seed": options.seed,
                "tensors": [one._asdict() | {"number": _finite(one.number), "random": [_finite(x) for x in one.random]}
                            for one in found],
                "above": sum(one.number > max(one.random) for one in found),
                "below": sum(one.number < min(one.random) for one in found),
                "rank_correlation": _rank_correlation([one.number for one in found], [one.usual for one in found])}

    @staticmethod
    def page(found: dict[str, Any]) -> str:
        """A row a layer, a column a matrix; what the shape explains."""
        cells = {(one["layer"], one["name"]): one for one in found["tensors"]}
        names = [name for name in LINEARS if (0, name) in cells]
        shapes = [" × ".join(map(str, cells[0, name]["shape"])) for name in names]
        rows = [[str(layer), *(_cell(cells[layer, name]) for name in names)]
                for layer in sorted({layer for layer, _ in cells})]
        count = len(cells)
        return "\n\n".join([
            f"Condition number (in brackets the median of {found['draws']} random ternary matrices of the same shape "
            "and density, seed {seed}).".format(seed=found["seed"]),
            markdown_table(["layer", *(f"{name}, {shape}" for name, shape in zip(names, shapes, strict=True))], rows),
            f"Above all of its random ones: {found['above']} of {count} matrices; below all: {found['below']}. Rank "
            f"correlation of the condition numbers with the random ones' medians: {found['rank_correlation']:.2f}."])


def condition_number(matrix: np.ndarray) -> float:
    """The largest singular value of a matrix over its smallest, of min(out, in); infinity where that is none beside
    rounding. A matrix of zeros has infinity, too."""
    values = np.linalg.svd(np.asarray(matrix, np.float64), compute_uv=False)
    none = values[0] * max(matrix.shape) * np.finfo(np.float64).eps
    return float(values[0] / values[-1]) if values[-1] > none else float("inf")


def conditions(model: Model, draws: int = _DRAWS, seed: int = 0) -> list[Conditioned]:
    """Every matrix of the layers, in order."""
    found, generator = [], np.random.default_rng(seed)
    for index, layer in enumerate(float_model(model).layers):
        for name, linear in layer.linears.items():
            density = np.count_nonzero(linear.trits) / linear.trits.size
            beside = sorted(condition_number(random_trits(linear.trits.shape, density, generator))
                            for _ in range(draws))
            number = condition_number(linear.trits)  # times the scale it is the same
            found.append(Conditioned(index, name, linear.trits.shape, density, number, tuple(beside)))
    return found


def random_trits(shape: tuple[int, int], density: float, generator: np.random.Generator) -> np.ndarray:
    """int8 in -1..1, each independently not zero with probability `density`, of either sign alike."""
    signs = generator.choice(np.array([-1, 1], np.int8), shape)
    return np.where(generator.random(shape) < density, signs, np.int8(0))


def _finite(number: float) -> float | None:
    """As JSON has it: None for infinity."""
    return number if np.isfinite(number) else None


def _cell(one: dict[str, Any]) -> str:
    usual = np.median([np.inf if number is None else number for number in one["random"]])
    return f"{_shown(one['number'])} ({_shown(usual)})"


def _shown(number: float | None) -> str:
    if number is None or not np.isfinite(number):
        return "∞"
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"


def _rank_correlation(first: list[float], second: list[float]) -> float:
    """Spearman's; equal values take the ranks that they stand in. 0 for fewer than two values."""
    if len(first) < 2:
        return 0.0
    ranks = np.argsort(np.argsort(np.array([first, second]), kind="stable"), kind="stable")
    apart = ranks - ranks.mean(axis=1, keepdims=True)
    return float(apart[0] @ apart[1] / (apart[0] @ apart[0]))
