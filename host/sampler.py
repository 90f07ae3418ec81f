"""Choosing the next token from the device's best k.

The head is exact and the device returns the k best logits (`BuildParameters.top_k`); everything here works on those.
What a filter leaves out of them stays out, and a token beyond the best k cannot come back, whatever the penalty on
those before it.

The order is that of transformers: penalties, temperature, top-k, top-p, min-p, then a draw. llama.cpp
applies the temperature after the filters: the same options keep more tokens here at temperatures above 1.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from host.runtime import Top
from host.sampling_defaults import Asked
from models.errors import OptionError

__all__ = ["TEMPERATURE", "TOP_P", "Sampler", "add_sampling_options", "sampler_from"]

TEMPERATURE, TOP_P = 0.7, 0.95
"""What text is sampled with where nothing else is asked for."""
_LARGEST = 1e300  # of a logit under a penalty near zero


@dataclass
class Sampler:
    """temperature 0 is greedy. top_k 0: all that the device returns; top_p 1: no nucleus; min_p 0: no floor.

    min_p: the least probability kept, relative to the best token's. repeat_penalty: logits of tokens among the last
    `repeat_last` (0: none, -1: all) are divided by it where positive, multiplied where negative; 1 is off.
    presence_penalty: taken from the logits of tokens that it chose before; frequency_penalty: for each time that it did
    (OpenAI's definitions).
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    repeat_last: int = 64
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0

    def __post_init__(self) -> None:
        for name, value, valid, rule in (
                ("temperature", self.temperature, self.temperature >= 0, "not be negative"),
                ("top k", self.top_k, self.top_k >= 0, "not be negative"),
                ("top p", self.top_p, 0 < self.top_p <= 1, "be in (0, 1]"),
                ("min p", self.min_p, 0 <= self.min_p <= 1, "be in [0, 1]"),
                ("repeat penalty", self.repeat_penalty, self.repeat_penalty > 0, "be positive"),
                ("repeat last", self.repeat_last, self.repeat_last >= -1, "be -1 or more"),
                ("presence penalty", self.presence_penalty, True, "be finite"),
                ("frequency penalty", self.frequency_penalty, True, "be finite")):
            if not valid or not abs(value) < np.inf:
                raise OptionError(f"{name} must {rule}, got {value}")
        if self.seed is not None and self.seed < 0:
            raise OptionError(f"seed must not be negative, got {self.seed}")
        self._random = np.random.default_rng(self.seed)
        self._said: Counter[int] = Counter()

    def __call__(self, top: Top, history: Sequence[int] = ()) -> int:
        """The chosen id; history: prompt and output so far, for the repetition penalty."""
        token = self._choice(*self._penalised(top, history))
        self._said[token] += 1
        return token

    def _choice(self, ids: np.ndarray, values: np.ndarray) -> int:
        if self.temperature == 0:
            return int(ids[0])
        with np.errstate(over="ignore"):
            scaled = values / self.temperature
            values = scaled if np.isfinite(scaled).all() else (values - values[0]) / self.temperature
        if self.top_k:
            ids, values = ids[:self.top_k], values[:self.top_k]
        weights = np.exp(values - values[0])
        weights /= weights.sum()
        kept = int(np.searchsorted(np.cumsum(weights), self.top_p)) + 1
        if self.min_p:
            kept = min(kept, int(np.count_nonzero(weights >= self.min_p * weights[0])))
        weights = weights[:kept] / weights[:kept].sum()
        return int(self._random.choice(ids[:kept], p=weights))

    def _penalised(self, top: Top, history: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """ids and logits, best first."""
        ids, values = top.ids, top.values
        repeats = self.repeat_penalty != 1 and self.repeat_last != 0 and len(history)
        said = (self.presence_penalty or self.frequency_penalty) and self._said
        if not repeats and not said:
            return ids, values
        if repeats:
            recent = history if self.repeat_last < 0 else history[-self.repeat_last:]
            with np.errstate(over="ignore"):
                lower = np.where(values > 0, values / self.repeat_penalty, values * self.repeat_penalty)
            lower = np.clip(lower, -_LARGEST, _LARGEST)
            values = np.where(np.isin(ids, recent), lower, values)
        if said:
            times = np.array([self._said[int(token)] for token in ids])
            values = values - self.frequency_penalty * times - self.presence_penalty * (times > 0)
        order = np.argsort(-values, kind="stable")
        return ids[order], values[order]


def add_sampling_options(parser: argparse.ArgumentParser) -> None:
    """--temperature, --top-k, --top-p, --min-p, --repeat-penalty, --repeat-last, --seed.

    But for the seed, a model's own defaults go before those given here (`host.sampling_defaults`).
    """
    parser.add_argument("--temperature", action=Asked, type=float, default=TEMPERATURE, metavar="T",
                        help="0 is greedy (default: the model's own, here and below, else %(default)s)")
    parser.add_argument("--top-k", action=Asked, type=int, default=0, metavar="K",
                        help="sample from the best K (default: all that the device returns)")
    parser.add_argument("--top-p", action=Asked, type=float, default=TOP_P, metavar="P",
                        help="nucleus (default: %(default)s)")
    parser.add_argument("--min-p", action=Asked, type=float, default=0.0, metavar="P",
                        help="leave out tokens less likely than P times the best (default: 0, off)")
    parser.add_argument("--repeat-penalty", action=Asked, type=float, default=1.0, metavar="R",
                        help="make tokens that were there less likely (default: 1, off; 1.1 is mild)")
    parser.add_argument("--repeat-last", action=Asked, type=int, default=64, metavar="N",
                        help="tokens back that the penalty looks at, -1 for all (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="of the sampler (default: 0)")


def sampler_from(options: argparse.Namespace) -> Sampler:
    """The sampler of `add_sampling_options`; `OptionError` for a value out of range."""
    return Sampler(options.temperature, options.top_k, options.top_p, options.seed, options.min_p,
                   options.repeat_penalty, options.repeat_last)
