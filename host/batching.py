"""Several prompts on one session: each weight that is read serves a token of every sequence."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from host.runtime import Session, Top
from host.sampler import Sampler
from models.errors import OptionError

__all__ = ["Batch"]


@dataclass
class _Running:
    """A prompt at work: its place in the list, all its ids, how many new ones may still come, what is next."""

    index: int
    history: list[int]
    left: int
    top: Top


class Batch:
    """Continues `prompts`, each with its own of `samplers`, by up to `count` ids: those that it gives alone.

    As many run side by side as the session has sequences. One that ends leaves its place to the next that waits;
    a prompt runs by itself, then its sequence joins the others' passes. `prefill_s`, `decode_s`: wall time so far;
    `decoded`: ids that passes of decoding gave, the first ones not among them; `passes`: how many of those there were.
    """

    def __init__(self, session: Session, prompts: Sequence[Sequence[int]], count: int, samplers: Sequence[Sampler], *,
                 ends: Collection[int] | None = None):
        if count < 1:
            raise OptionError(f"new tokens must be at least 1, got {count}")
        for number, prompt in enumerate(prompts, 1):
            if not len(prompt):
                raise OptionError(f"prompt {number} is empty: there is no token to start from")
            if len(prompt) + count - 1 > session.context:
                raise OptionError(f"prompt {number} of {len(prompt)} tokens and {count} new ones exceed the context of "
                                  f"{session.context}")
        self._session, self._prompts, self._count, self._samplers = session, prompts, count, samplers
        self._ends = session.model.config.eos_ids if ends is None else ends
        self._stopped: set[int] = set()
        self.prefill_s = self.decode_s = 0.0
        self.decoded = self.passes = 0

    def stop(self, index: int) -> None:
        """End a prompt's sequence with the id that came last."""
        self._stopped.add(index)

    def run(self, on_tokens: Callable[[int], None] | None = None) -> Iterator[tuple[int, int]]:
        """Yield (index of the prompt, new id) as they come. `on_tokens`: as in `Session`, for the prompts."""
        waiting, running = deque(range(len(self._prompts))), {}
        while waiting or running:
            for sequence in range(len(self._session.positions)):
                if waiting and sequence not in running:
                    running[sequence] = self._start(waiting.popleft(), sequence, on_tokens)
            step: list[tuple[int, list[int]]] = []
            for sequence, item in sorted(running.items()):
                token = self._samplers[item.index](item.top, item.history)
                if token not in self._ends:
                    yield item.index, token
                    item.history.append(token)
                    item.left -= 1
                if token in self._ends or not item.left or item.index in self._stopped:
                    del running[sequence]
                else:
                    step.append((sequence, [token]))
            self._decode(step, running)

    def _start(self, index: int, sequence: int, on_tokens: Callable[[int], None] | None) -> _Running:
        started, prompt = time.perf_counter(), self._prompts[index]
        self._session.positions[sequence] = 0
        top = self._session.prefill(prompt, on_tokens, sequence=sequence)
        self.prefill_s += time.perf_counter() - started
        return _Running(index, list(prompt), self._count, top)

    def _decode(self, step: Sequence[tuple[int, list[int]]], running: dict[int, _Running]) -> None:
        started, rows = time.perf_counter(), self._session.rows
        for start in range(0, len(step), rows):
            parts = step[start:start + rows]
            for (sequence, _), top in zip(parts, self._session.advance(parts), strict=True):
                running[sequence].top = top
            self.passes += 1
        self.decoded += len(step)
        self.decode_s += time.perf_counter() - started
