"""CoreInfer: the neurons of a sentence, chosen from its prompt and kept while it decodes.

A prompt's rows are dense. Each votes for its own top neurons: of those whose product is not zero a share alpha, by
magnitude. When decoding begins, the neurons with most votes of the prompt stay, a share beta of the layer; the others'
products become 0, as if their gates, `up` and `down` had not been read. Without a prompt all stay. The first layers
stay dense.

Chosen again: while it decodes, a layer watches how many of the rows' own top neurons are among those that it kept. If
over 16 rows that is less than the share `trigger`, the neurons with most votes of these 16 are kept from then on. That
needs the products of neurons that are not kept, which the host has at a stop. (Others watch perplexity or entropy.) All
of it is counting, layer by layer. Source: CoreInfer, arXiv 2410.18311.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.fitting import FitOption, Fitted
from host.pipeline.sequence_stage import SequenceRows, SequenceStage
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.fitted_mask import SPARSITY, check_strength
from host.pipeline.sparsity.ranked_mask import kept_channels, largest
from host.pipeline.stage import Order
from models.checkpoint import Model
from models.config import ModelConfig
from models.errors import ArtefactError, OptionError
from models.golden.scalar import Scalar

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["WINDOW", "CoreInfer"]

WINDOW = 16
_FRACTION = 16  # of alpha and the trigger


class CoreInfer(SequenceStage):
    """shares: float [layers] of neurons that go, 1 - beta, 0 for dense layers; alpha, trigger: float [layers]. Strength
    scales the shares."""

    kind, method, order, sites = "sparsity", "core-infer", Order.MASK, (Site.PRODUCT,)
    options = {"sparsity": SPARSITY,
               "alpha": FitOption(float, 0.4, "of a token's active neurons the share that it votes for"),
               "trigger": FitOption(float, 0.0, "share of its votes among the kept ones below which they are chosen "
                                                "again"),
               "dense": FitOption(int, None, "layers at the front that stay dense (else a sixth)"),
               "text": FitOption(Path, None, "not looked at: neurons are chosen from each prompt")}

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self.shares = np.minimum(self.tensors["shares"] * strength, 1)
        self._fixed = {name: np.rint(np.ldexp(self.tensors[name], _FRACTION)).astype(np.int64)
                       for name in ("alpha", "trigger")}
        self._parts: Sequence[SequenceRows] = ()
        self._memories: dict[tuple[int, int], _Memory] = {}

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("shares", "alpha", "trigger"), (config.layers,))

    @classmethod
    def fit(cls, model: Model, *, sparsity: float, alpha: float,  # type: ignore[override]  # `options` by name
            trigger: float, dense: int | None, text: Path | None) -> Fitted:
        """See `Stage`."""
        layers = model.config.layers
        dense = layers // 6 if dense is None else dense
        for name, value in (("sparsity", sparsity), ("alpha", alpha), ("trigger", trigger)):
            if not 0 <= value <= 1:
                raise OptionError(f"--{name} must lie between 0 and 1, got {value}")
        if not 0 <= dense < layers:
            raise OptionError(f"--dense must lie between 0 and {layers - 1}, got {dense}")
        return Fitted({"shares": np.where(np.arange(layers) < dense, 0, sparsity), "alpha": np.full(layers, alpha),
                       "trigger": np.full(layers, trigger)}, {"dense": dense})

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`."""
        for name in ("shares", "alpha", "trigger"):
            check_strength(name, tensors[name], strength)
            if (tensors[name] > 1).any():
                raise ArtefactError(f"tensor {name}: expected none above 1, found {tensors[name].max()}")
        return cls(tensors, strength)

    def points(self, model: Model) -> list[Point]:
        return [Point(layer, Site.PRODUCT) for layer in np.flatnonzero(self.tensors["shares"]).tolist()]

    def begin(self, parts: Sequence[SequenceRows]) -> None:
        self._parts = list(parts)

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        if sum(part.rows for part in self._parts) != len(x):
            raise ValueError(f"{type(self).__name__} was not told of these rows")
        layer = point.layer
        votes = _top(np.abs(x), int(self._fixed["alpha"][layer]))
        kept = kept_channels(float(self.shares[layer]), x.shape[-1])
        stays, row = np.ones(x.shape, bool), 0
        for part in self._parts:
            memory = self._memories.setdefault((part.sequence, layer), _Memory())
            memory.forget(part.position, x.shape[-1])
            for index in range(part.rows):
                stays[row] = memory.take(votes[row], index < part.prompt, kept, int(self._fixed["trigger"][layer]))
                row += 1
        return np.where(stays, x, 0)


class _Memory:
    """What a layer knows of a sequence: each token's votes and whether it was a prompt's; sets, from a position on."""

    def __init__(self) -> None:
        self._votes: list[np.ndarray] = []
        self._prompt: list[bool] = []
        self._sets: list[tuple[int, np.ndarray]] = []

    def forget(self, position: int, neurons: int) -> None:
        """Tokens from a position on; those before it that were never seen have no votes."""
        del self._votes[position:], self._prompt[position:]
        self._sets = [one for one in self._sets if one[0] <= position]
        missing = position - len(self._votes)
        self._votes += [np.packbits(np.zeros(neurons, bool))] * missing
        self._prompt += [True] * missing

    def take(self, votes: np.ndarray, prompt: bool, kept: int, trigger: int) -> np.ndarray:
        """The next token's neurons that stay, bool [neurons]."""
        at, neurons = len(self._votes), len(votes)
        if not prompt and (at == 0 or self._prompt[-1]):
            counts = self._count([one for one, mine in zip(self._votes, self._prompt, strict=True) if mine], neurons)
            self._choose(at, largest(counts[None], kept)[0] if counts.any() else np.ones(neurons, bool))
        self._votes.append(np.packbits(votes))
        self._prompt.append(prompt)
        if prompt:
            return np.ones(neurons, bool)
        start, stays = self._sets[-1]
        if at + 1 - start >= WINDOW:
            counts = self._count(self._votes[-WINDOW:], neurons)
            if int(counts[stays].sum()) << _FRACTION < trigger * int(counts.sum()):
                self._choose(at + 1, largest(counts[None], kept)[0])
        return stays

    def _choose(self, at: int, stays: np.ndarray) -> None:
        self._sets = [one for one in self._sets if one[0] < at] + [(at, stays)]

    @staticmethod
    def _count(votes: Sequence[np.ndarray], neurons: int) -> np.ndarray:
        """int64 [neurons]: how many voted for each."""
        total = np.zeros(neurons, np.int64)
        for one in votes:
            total += np.unpackbits(one, count=neurons)
        return total


def _top(magnitudes: np.ndarray, alpha: int) -> np.ndarray:
    """Bool [rows, neurons]: of a row's neurons that are not zero the share alpha / 2**16, rounded up, by magnitude."""
    active = np.count_nonzero(magnitudes, axis=1)
    count = -(-active * alpha >> _FRACTION)
    order = np.argsort(-magnitudes, axis=1, kind="stable")
    mask = np.zeros(magnitudes.shape, bool)
    np.put_along_axis(mask, order, np.arange(magnitudes.shape[1]) < count[:, None], axis=1)
    return mask
