"""A model on a device: tokens in, the best next tokens or all logits out.

The same code drives every device: it writes embedding rows, sets the position, rings the doorbell and
reads what the device returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from host.compiler.program import Program
from host.devices.base import Device
from models.checkpoint import Model
from models.errors import ModelError
from models.golden.head import LOGIT_FRACTION
from models.golden.model import TapPoint
from models.golden.residual import embed
from models.golden.tap import Tap

__all__ = ["Counters", "Session", "Top"]


@dataclass(frozen=True)
class Top:
    """The device's best next tokens, best first: ids and integer logits (16 fraction bits)."""

    ids: np.ndarray
    logits: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """Logits as float64."""
        return self.logits / float(1 << LOGIT_FRACTION)


@dataclass
class Counters:
    """What the device counted over all runs of a session."""

    cycles: int = 0
    zeros: int = 0
    activations: int = 0

    @property
    def sparsity(self) -> float:
        """Share of linear inputs that were zero."""
        return self.zeros / self.activations if self.activations else 0.0


class Session:
    """One model loaded on one device, with one sequence in its cache.

    taps: thresholds and steering vectors compiled in. `on_tokens` is called with the tokens each run took in.
    """

    def __init__(self, model: Model, device: Device, *, taps: Mapping[TapPoint, Tap] | None = None,
                 progress: bool = False):
        self.model, self.device = model, device
        self.rows = device.pass_rows(model.config)
        self.program = Program(model, device.build, rows=self.rows, taps=taps)
        self.buffer = device.allocate(self.program.size)
        self.program.write(self.buffer.array, self.buffer.address, place=partial(device.place, self.buffer),
                           progress=progress)
        device.flush(self.buffer, 0, self.program.size)
        self.position = 0
        self.counters = Counters()

    @property
    def context(self) -> int:
        """Tokens the cache holds at most."""
        return self.model.config.context

    def reset(self) -> None:
        """Forget the sequence."""
        self.position = 0

    def prefill(self, ids: Sequence[int], on_tokens: Callable[[int], None] | None = None) -> Top:
        """Append a prompt; returns the best next tokens after its last one."""
        if not len(ids):
            raise ModelError("the prompt is empty: there is no token to start from")
        self._room(len(ids))
        self.feed(ids[:-1], on_tokens)
        top = self.decode(ids[-1])
        if on_tokens:
            on_tokens(1)
        return top

    def feed(self, ids: Sequence[int], on_tokens: Callable[[int], None] | None = None) -> None:
        """Append tokens to the cache without running the head."""
        self._room(len(ids))
        for start in range(0, len(ids), self.rows):
            part = ids[start:start + self.rows]
            self._run("prefill", part)
            if on_tokens:
                on_tokens(len(part))

    def decode(self, token: int) -> Top:
        """Append one token; returns the best next ones."""
        self._room(1)
        self._run("decode", [token])
        k = min(self.device.build.top_k, self.model.config.vocab_size)
        pairs = self._read("top", k * 8).view("<i4").reshape(-1, 2)
        return Top(pairs[:, 0].copy(), pairs[:, 1].copy())

    def score(self, ids: Sequence[int], on_tokens: Callable[[int], None] | None = None) -> np.ndarray:
        """Append tokens; returns the integer logits after each, int32 [tokens, vocab]."""
        self._room(len(ids))
        vocab = self.model.config.vocab_size
        padded = -(-vocab // 4) * 4
        out = np.empty((len(ids), vocab), np.int32)
        rows = min(self.rows, self.device.head_rows)
        for start in range(0, len(ids), rows):
            part = ids[start:start + rows]
            self._run("score", part)
            data = self._read("logits", len(part) * padded * 4).view("<i4").reshape(len(part), padded)
            out[start:start + len(part)] = data[:, :vocab]
            if on_tokens:
                on_tokens(len(part))
        return out

    def cache(self, layer: int) -> dict[str, np.ndarray]:
        """One layer's cached keys and values so far: rows [kv_heads, n, dim] and scale words [kv_heads, n]."""
        kv, n, build = self.program.memory.kv, self.position, self.device.build
        data = self._read(f"{layer}.kv", kv.layer_bytes)
        integer = np.dtype(f"<i{build.kv_bits // 8}")
        row_bytes = self.model.config.head_dim * integer.itemsize

        def stored(what: str, size: int) -> np.ndarray:
            return data[kv.places(what, np.arange(n), size)]

        return {**{what: stored(what, row_bytes).view(integer) for what in ("keys", "values")},
                **{what: stored(what, 4).view("<u4")[..., 0] for what in ("key_scales", "value_scales")}}

    def _room(self, tokens: int) -> None:
        if self.position + tokens > self.context:
            raise ModelError(f"the context is full: {self.position} tokens are in it and {tokens} more "
                             f"exceed its {self.context}")

    def _run(self, kind: str, ids: Sequence[int]) -> None:
        model, vocab = self.model, self.model.config.vocab_size
        ids = np.asarray(ids)
        if ids.min() < 0 or ids.max() >= vocab:
            raise ModelError(f"token id {int(ids[(ids < 0) | (ids >= vocab)][0])} is outside the vocabulary of {vocab}")
        h = embed(model.embedding[ids], model.embedding_exponents[ids], model.residual_fraction_bits)
        self._write("residual_in", h.astype("<i4"))
        item = self.program.get_pass(kind, len(ids))
        self.device.flush(self.buffer, item.offset, item.count * 64)
        cycles = self.device.run(self.buffer.address + item.offset, item.count, self.position)
        self.position += len(ids)
        self.counters.cycles += cycles
        self.counters.zeros += self.device.get("ZEROS")
        self.counters.activations += self.device.get("ACTIVATIONS")

    @property
    def saturations(self) -> int:
        """Residual channels that saturated so far."""
        return self.device.get("SATURATIONS")

    def _write(self, name: str, array: np.ndarray) -> None:
        data, start = np.ascontiguousarray(array).view(np.uint8).reshape(-1), self.program.memory[name]
        self.buffer.array[start:start + data.size] = data
        self.device.flush(self.buffer, start, data.size)

    def _read(self, name: str, size: int) -> np.ndarray:
        start = self.program.memory[name]
        self.device.invalidate(self.buffer, start, size)
        return self.buffer.array[start:start + size]
