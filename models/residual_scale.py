"""The residual stream's scale: how large its values grow in a model, and the fraction bits that this leaves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from models.checkpoint import RESIDUAL_LIMIT
from models.config import ModelConfig
from models.errors import ModelError
from models.float_twin import FloatStream
from models.formats.source import FloatLayer, FloatModel
from models.vocabulary.panics import contained

__all__ = ["LARGE_PARAMETERS", "Growth", "ResidualScale", "fraction_bits"]

LARGE_PARAMETERS = 50_000_000
"""Models with as many weights are run over fewer tokens, and taken to grow at least so much as is known of such."""

_TOKENS, _TOKENS_LARGE = 64, 16
_ASSUMED_GROWTH = 2.0**12  # massive activations are 10**3 to 10**4 times the median
_USED_BITS, _TOP_BITS = 27, 29  # of 31: by the largest value expected, and by any that was seen
_TEXT = """The first token of a text, its full stops and its line ends carry the largest values of a model. So here are
some: "Is 7 * 8 = 56?", she asked; (he nodded).\n\n1. def f(x): return x[0] + 1\n- 日本語, Ελληνικά, naïve café…\n"""


@dataclass(frozen=True)
class ResidualScale:
    """largest: the |h| that takes 27 of the 31 bits; rule: how it was found, in words; raised: for what the scale was
    raised beyond that, in words."""

    fraction_bits: int
    largest: float
    rule: str
    raised: str | None = None


def fraction_bits(largest: float, used: int = _USED_BITS) -> int:
    """Fraction bits r of the int32 residual in which a value of `largest` (> 0) takes `used` of the 31 bits.

    With 27 of them others may exceed it sixteenfold before they saturate, and a median 10**4 times smaller keeps 13
    bits. r lies within ±RESIDUAL_LIMIT.
    """
    bits = used - math.ceil(math.log2(largest))
    return max(-RESIDUAL_LIMIT, min(RESIDUAL_LIMIT, bits))


class Growth:
    """Float runs of two short prompts, which go through a model's layers and rows as these are read, once.

    Prompts: token ids drawn with seed 0, and a text where there is a tokenizer; both begin with the model's first
    token, the text ends with those that end one. Models of LARGE_PARAMETERS and more take the text alone, or else
    the drawn ids, and are taken to reach 2**12 times the embedding's RMS at least.
    """

    def __init__(self, model: FloatModel):
        config = model.config
        self._large = config.parameters >= LARGE_PARAMETERS
        count = min(_TOKENS_LARGE if self._large else _TOKENS, config.context)
        text = _text_ids(model, count)
        self._drawn = None if self._large and text is not None else _Run(model, _drawn_ids(config, count), "random")
        self._text = None if text is None else _Run(model, text, "text")
        self._squares, self._count, self._row_max = 0.0, 0, 0.0

    def layer(self, layer: FloatLayer) -> None:
        """The next layer."""
        for run in filter(None, (self._drawn, self._text)):
            run.layer(layer)

    def rows(self, rows: np.ndarray) -> None:
        """Rows of the embedding."""
        self._squares += float(np.vdot(rows, rows))
        self._count += rows.size
        self._row_max = max(self._row_max, float(np.abs(rows).max(initial=0)))

    def scale(self) -> ResidualScale:
        """After all layers and rows. `ModelError` where a run's residual is not finite, or no scale holds it.

        The largest value of the run (of a large model perhaps the one that is assumed) takes 27 bits; what else was
        seen, in the text or in a row of the embedding, takes 29 at most; what a layer adds is at most twice as large.
        """
        base = self._drawn or self._text
        largest, rule = base.residual_max, base.words
        assumed = _ASSUMED_GROWTH * math.sqrt(self._squares / max(1, self._count))
        if self._large and assumed > largest:
            largest, rule = assumed, f"4096 times the embedding's RMS, above the {largest:.3g} of a {base.words}"
        seen = {"a row of the embedding": self._row_max}
        if self._text is not None:
            seen[f"a {self._text.words}"] = self._text.residual_max
        return _scale_of(largest, rule, seen)


def _scale_of(largest: float, rule: str, seen: dict[str, float]) -> ResidualScale:
    highest = max([largest, *seen.values()])
    if not highest < math.inf:
        raise ModelError(f"residual: expected finite values, found {largest} in a {rule}")
    if highest == 0:
        return ResidualScale(fraction_bits(1.0), 0.0, f"{rule}: zeros alone")
    if highest >= 2.0**(31 + RESIDUAL_LIMIT):
        raise ModelError(f"residual: expected values below 2**{31 + RESIDUAL_LIMIT}, found {highest:.3g}")
    bits, raised = fraction_bits(largest) if largest else RESIDUAL_LIMIT, None
    for what, value in seen.items():
        if value and (lower := fraction_bits(value, _TOP_BITS)) < bits:
            bits, raised = lower, f"{what}, which reaches {value:.3g}"
    return ResidualScale(bits, largest, rule, raised)


class _Run(FloatStream):
    """words: what was run."""

    def __init__(self, model: FloatModel, ids: np.ndarray, kind: str):
        with np.errstate(all="ignore"):  # of a damaged model; the scale says what is wrong
            super().__init__(model, ids)
        self.words = f"float run over {len(ids)} {kind} tokens"

    def layer(self, layer: FloatLayer) -> None:  # type: ignore[override]  # nobody looks
        with np.errstate(all="ignore"):
            super().layer(layer)


def _drawn_ids(config: ModelConfig, count: int) -> np.ndarray:
    ids = np.random.default_rng(0).integers(0, config.vocab_size, count)
    if config.bos_id is not None:
        ids[0] = config.bos_id
    return ids


def _text_ids(model: FloatModel, count: int) -> np.ndarray | None:
    if model.text is None:
        return None
    config = model.config
    first = [] if config.bos_id is None else [config.bos_id]
    room = max(0, count - len(first) - len(config.eos_ids))
    try:
        with contained("the calibration's text"):
            text = Tokenizer.from_str(model.text.tokenizer).encode(_TEXT, add_special_tokens=False).ids
    except ModelError:  # a tokenizer of few characters may know none of these
        text = []
    return np.array([*first, *text[:room], *config.eos_ids][:count]) if text else None
