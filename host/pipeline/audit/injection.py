"""Runs of prompts with a vector added to the residual behind a layer, on the emulator, and directions to inject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.host_steps import HostSteps
from host.pipeline.observing import Observer
from host.pipeline.site import Point, Site, points_of
from host.pipeline.steering.added_vectors import adding_tap
from host.runtime import Session
from host.text import Text
from models.checkpoint import Model
from models.errors import OptionError
from models.golden.head import LOGIT_FRACTION
from models.machine.build import CPU

__all__ = ["Injector", "Runs", "common_words", "random_directions", "word_directions"]

_LETTERS = 3  # of a word, at least
_TIMES = 8  # that it stands in the text, at least


class Runs(NamedTuple):
    """What the last token of each prompt has: states float64 [layers, runs, hidden], the residual behind each layer;
    log_probabilities float64 [runs, vocab] of the next token."""

    states: np.ndarray
    log_probabilities: np.ndarray


class Injector:
    """One session that runs prompts, plain or with a vector injected behind one of `layers`."""

    def __init__(self, model: Model, layers: Collection[int]):
        hidden = model.config.hidden_size
        taps = {Point(layer, Site.RESIDUAL): adding_tap(np.zeros(hidden)) for layer in layers}
        self._points = points_of(Site.RESIDUAL, model.config)
        self._observer = Observer(self._points)
        steps = HostSteps(model, taps=taps, looks=self._observer.looks)
        self._session = Session(model, EmulatorDevice(CPU), taps=taps, host_steps=steps)

    def __call__(self, prompts: np.ndarray, layer: int = 0, vectors: np.ndarray | None = None,
                 on_runs: Callable[[int], None] = lambda _: None) -> Runs:
        """prompts int [runs, tokens]. vectors float [groups, hidden], in the model's units: each is added at every
        token of the runs of its group, which are consecutive and equally many; None: nothing is."""
        states, logits = [], []
        for group, part in enumerate(np.split(prompts, 1 if vectors is None else len(vectors))):
            self._session.set_taps({} if vectors is None else
                                   {Point(layer, Site.RESIDUAL): adding_tap(vectors[group])})
            for prompt in part.tolist():
                self._session.reset()
                logits.append(self._session.score(prompt)[-1] / float(1 << LOGIT_FRACTION))
                seen = self._observer.take()
                states.append([seen[point][-1] for point in self._points])
            on_runs(len(part))
        values = np.array(logits)
        values -= values.max(axis=1, keepdims=True)
        return Runs(np.array(states).swapaxes(0, 1), values - np.log(np.exp(values).sum(axis=1, keepdims=True)))


def common_words(text: Text, ids: Sequence[int], count: int) -> list[int]:
    """The `count` most frequent tokens of a text that are whole words of a few letters; `OptionError` for a text with
    fewer."""
    words = []
    for token, times in Counter(ids).most_common():
        shown = text.decode([token])
        if times >= _TIMES and shown[:1].isspace() and shown[1:].isalpha() and len(shown) > _LETTERS:
            words.append(token)
    if len(words) < count:
        raise OptionError(f"the text has {len(words)} words of {_LETTERS} letters and more that stand in it {_TIMES} "
                          f"times as one token each, and {count} are needed")
    return words[:count]


def word_directions(states: np.ndarray, ids: Sequence[int], words: Sequence[int]) -> np.ndarray:
    """Unit vectors [words, hidden]: from residual rows' mean, states [tokens, hidden], to their mean at a word."""
    tokens, mean = np.asarray(ids), states.mean(axis=0)
    apart = np.stack([states[tokens == word].mean(axis=0) - mean for word in words])
    return apart / np.linalg.norm(apart, axis=1, keepdims=True)


def random_directions(count: int, hidden: int, seed: int) -> np.ndarray:
    """Unit vectors [count, hidden], Gaussian."""
    drawn = np.random.default_rng(seed).standard_normal((count, hidden))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
