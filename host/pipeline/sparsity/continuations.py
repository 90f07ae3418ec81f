"""CoreInfer by position behind its prompt: what neurons that were fixed there cost as the text goes on, or changes.

Passages of a text have their front as a prompt; what follows is scored token by token under the mask and without.
Behind a switch what follows is another text's. The control keeps neurons drawn at random, in the same layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.host_steps import HostSteps
from host.pipeline.placement import host_steps, place
from host.pipeline.site import Point, Site
from host.pipeline.sparsity.core_infer import CoreInfer
from host.pipeline.sparsity.ranked_mask import kept_channels
from host.runtime import Session
from host.scoring import token_losses
from models.checkpoint import Model
from models.golden.scalar import Scalar
from models.machine.build import CPU

__all__ = ["BINS", "PASSAGE", "PROMPT", "At", "continuations"]

PROMPT = 128
BINS = ((0, 16), (16, 64), (64, 128), (128, 256))
"""Tokens behind the prompt, first and behind the last."""

PASSAGE = PROMPT + BINS[-1][1]
_SHARE, _ALPHA, _TRIGGER = 0.5, 0.4, 0.7


class At(NamedTuple):
    """Tokens of a bin. more: nats a token over plain; error: its standard error over the passages."""

    follows: str
    method: str
    first: int
    behind: int
    more: float
    error: float
    passages: int


def continuations(model: Model, ids: Sequence[int], other: Sequence[int] | None = None, passages: int = 8) -> list[At]:
    """Rows for "the same text" and, where another text is given, for "another text"; none if `ids` is too short.

    A method's name says its trigger. Prompts lie evenly over `ids`, what follows them in `other` likewise.
    """
    passages = min(passages, len(ids) // PASSAGE)
    if passages < 2 or model.config.context < PASSAGE:
        return []
    starts = np.linspace(0, len(ids) - PASSAGE, passages).astype(int).tolist()
    prompts = [list(ids[start:start + PROMPT]) for start in starts]
    texts = {"the same text": [list(ids[start + PROMPT:start + PASSAGE]) for start in starts]}
    length = BINS[-1][1]
    if other is not None and len(other) >= length:
        texts["another text"] = [list(other[start:start + length])
                                 for start in np.linspace(0, len(other) - length, passages).astype(int).tolist()]
    rows = []
    for follows, behind in texts.items():
        losses = {name: np.stack([run(*passage) for passage in zip(prompts, behind, strict=True)])
                  for name, run in _runs(model).items()}
        plain = losses.pop("plain")
        rows += [At(follows, name, first, last, *_mean((found - plain)[:, first:last]), passages)
                 for name, found in losses.items() for first, last in BINS]
    return rows


def _mean(more: np.ndarray) -> tuple[float, float]:
    """Of [passages, tokens] the mean, and its standard error over the passages."""
    each = more.mean(axis=1)
    return float(each.mean()), float(each.std(ddof=1)) / math.sqrt(len(each))


_Run = Callable[[Sequence[int], Sequence[int]], np.ndarray]
"""A prompt and what follows to the losses of the latter."""


def _runs(model: Model) -> dict[str, _Run]:
    found = {"plain": _run_of(model, HostSteps(model))}
    fitted = {trigger: CoreInfer.fit(model, sparsity=_SHARE, alpha=_ALPHA, trigger=trigger, dense=None, text=None)
              for trigger in (0.0, _TRIGGER)}
    for trigger, (tensors, _) in fitted.items():
        stage = CoreInfer.load(tensors)
        name = stage.method + (f", chosen again below {trigger:g}" if trigger else "")
        found[name] = _run_of(model, host_steps(place([stage], model), model))
    shares = fitted[0.0].tensors["shares"]
    random = _RandomNeurons(model, shares.tolist())
    found["random neurons"] = _run_of(model, random.steps, random)
    return found


def _run_of(model: Model, steps: HostSteps, random: _RandomNeurons | None = None) -> _Run:
    session = Session(model, EmulatorDevice(CPU), host_steps=steps)

    def run(prompt: Sequence[int], behind: Sequence[int]) -> np.ndarray:
        session.reset()
        session.feed(prompt[:-1])
        given = [prompt[-1], *behind[:-1]]
        if random is None:
            return token_losses(session.score(given), np.array(behind))
        with random.acting():
            return token_losses(session.score(given), np.array(behind))

    return run


class _RandomNeurons:
    """Neurons whose products are 0 while it is `acting`, drawn once for each layer."""

    def __init__(self, model: Model, shares: Sequence[float]):
        rng, channels = np.random.default_rng(0), model.config.ffn_size
        self._acts = False
        stages = {}
        for layer, share in enumerate(shares):
            gone = rng.permutation(channels)[kept_channels(share, channels):]
            stages[Point(layer, Site.PRODUCT)] = [partial(self._silenced, gone)]
        self.steps = HostSteps(model, stages=stages)

    def _silenced(self, gone: np.ndarray, rows: np.ndarray, unit: Scalar) -> np.ndarray:
        if not self._acts:
            return rows
        rows = rows.copy()
        rows[:, gone] = 0
        return rows

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Within it, neurons are silent."""
        self._acts = True
        try:
            yield
        finally:
            self._acts = False
