"""Heads taken out of a model on the exact emulator, and the random heads that such a loss has to be held against.

A head is a slice of the channels in front of the output matrix. The fabric's tap there multiplies it by 0 and, for a
mean ablation, adds what it holds on the average: no stop, and no other bit changes. Source: "Induction Signatures Are
Not Enough", which removes the highest-scoring heads against matched random ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.site import Point, Site, points_of
from host.pipeline.steering.added_vectors import adding_tap
from host.runtime import Session
from host.scoring import token_losses
from models.checkpoint import Model
from models.config import ModelConfig
from models.golden.tap import Tap, neutral_tap
from models.machine.build import CPU

__all__ = ["Ablated", "Head", "all_heads", "matched_draws"]

_TRIES = 100  # for another draw than those before


class Head(NamedTuple):
    """A head of a layer, both counted from 0."""

    layer: int
    head: int

    def __str__(self) -> str:
        return f"{self.layer}.{self.head}"


def all_heads(config: ModelConfig) -> list[Head]:
    """Those of a model, layer by layer."""
    return [Head(layer, head) for layer in range(config.layers) for head in range(config.heads)]


class Ablated:
    """Losses of a model on the emulator with heads taken out.

    means: float [layers, attention_size], what is put in the place of a head's values, in the float model's units; None
    puts zeros there.
    """

    def __init__(self, model: Model, means: np.ndarray | None = None):
        self._config, self._means = model.config, means
        self._neutral = {point: neutral_tap(model.config.attention_size)
                         for point in points_of(Site.O, model.config)}
        self._session = Session(model, EmulatorDevice(CPU), taps=self._neutral)

    def losses(self, heads: Sequence[Head], ids: Sequence[int]) -> np.ndarray:
        """-log p, in nats, of each of ids[1:] without `heads`: float64 [len(ids) - 1]; ids as long as the context."""
        self._session.set_taps(self._neutral | self._taps(heads))
        self._session.reset()
        return token_losses(self._session.score(ids[:-1]), np.asarray(ids[1:], np.int64))

    def _taps(self, heads: Sequence[Head]) -> dict[Point, Tap]:
        taps, size = {}, self._config.head_dim
        for layer in {head.layer for head in heads}:
            out = np.zeros(self._config.attention_size, bool)
            for head in heads:
                if head.layer == layer:
                    out[head.head * size:(head.head + 1) * size] = True
            added = adding_tap(np.where(out, 0.0 if self._means is None else self._means[layer], 0.0))
            taps[Point(layer, Site.O)] = replace(added, gain=np.where(out, 0, added.gain).astype(np.int16))
        return taps


def matched_draws(config: ModelConfig, heads: Sequence[Head], count: int, seed: int) -> list[tuple[Head, ...]]:
    """Random heads to hold `heads` against: as many, none of them, first draws of the same layers as far as these have
    others, then, where there are no more such, draws of any layers.

    Up to `count` different ones; none where `heads` are more than half of all.
    """
    draw = np.random.default_rng(seed)
    others = [head for head in all_heads(config) if head not in heads]
    found: dict[tuple[Head, ...], None] = {}
    for near in (True, False):
        for _ in range(_TRIES * count if len(others) >= len(heads) else 0):
            if len(found) == count:
                break
            found[_drawn(draw, others, Counter(head.layer for head in heads) if near else Counter(), len(heads))] = None
    return list(found)


def _drawn(draw: np.random.Generator, others: Sequence[Head], by_layer: Counter[int], count: int) -> tuple[Head, ...]:
    """`count` of the others, in order: so many of these layers, as far as they go, the rest of any."""
    chosen: list[Head] = []
    for layer, number in sorted(by_layer.items()):
        there = [head for head in others if head.layer == layer]
        chosen += [there[i] for i in draw.permutation(len(there))[:number]]
    left = [head for head in others if head not in chosen]
    chosen += [left[i] for i in draw.permutation(len(left))[:count - len(chosen)]]
    return tuple(sorted(chosen))
