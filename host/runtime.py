"""A model on a device: tokens in, the best next tokens or all logits out.

The same code drives every device: it writes embedding rows, sets the position, rings the doorbell and
reads what the device returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from host.compiler.memory_map import cache_name
from host.compiler.program import Pass, Program
from host.compiler.rows import Part
from host.devices.base import Device, WeightBytes
from host.pipeline.host_steps import Acting, HostSteps, spans_of
from host.pipeline.sequence_stage import told_rows
from host.stopping import Stopping
from models.checkpoint import Model
from models.errors import OptionError
from models.golden.head import LOGIT_FRACTION
from models.golden.model import TapPoint
from models.golden.residual import embed
from models.golden.tap import Tap
from models.machine.descriptor import Engine

__all__ = ["Counters", "Session", "Top"]

_NOTHING: Mapping[int, Acting] = {}


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
    """What the device counted over all runs of a session; weight_bytes, and what of them was read: None where it counts
    none. busy: cycles in which each engine worked; None unless `Session.profile` was called."""

    cycles: int = 0
    zeros: int = 0
    activations: int = 0
    weight_bytes: int | None = 0
    weight_bytes_read: int | None = 0
    busy: dict[Engine, int] | None = None

    def add_weights(self, read: WeightBytes | None) -> None:
        """Those of a run."""
        if read is None or self.weight_bytes is None:
            self.weight_bytes = self.weight_bytes_read = None
        else:
            self.weight_bytes += read.all
            self.weight_bytes_read += read.read

    def add_busy(self, read: Mapping[Engine, int]) -> None:
        """Those of a run."""
        self.busy = {engine: (self.busy or {}).get(engine, 0) + cycles for engine, cycles in read.items()}

    @property
    def sparsity(self) -> float:
        """Share of linear inputs that were zero."""
        return self.zeros / self.activations if self.activations else 0.0


class Session:
    """One model loaded on one device, with `sequences` sequences, each in a cache of its own.

    Methods work on sequence 0, the only one unless more were asked for, or on the one named. taps: thresholds and
    steering vectors compiled in. `on_tokens` is called with the tokens each run took in. `rows`: tokens that a pass
    takes. head: how the best next tokens are found, "exact" or "shortlist" (`Program`). host_steps: what the host
    computes in the midst of a pass, at stops. layers: those that the session runs, by default all (`run_layers`).
    `counts_zeros`: whether the zeros of each run are added up, as `Counters.sparsity` needs; a board is asked for them
    where somebody wants to know.
    """

    def __init__(self, model: Model, device: Device, *, taps: Mapping[TapPoint, Tap] | None = None,
                 sequences: int = 1, head: str = "exact", host_steps: HostSteps | None = None,
                 layers: range | None = None, progress: bool = False):
        self.model, self.device = model, device
        self.rows = device.build.slots
        steps = host_steps or HostSteps(model)
        steps.check(range(model.config.layers) if layers is None else layers)
        self.program = Program(model, device.build, rows=self.rows, taps=taps, sequences=sequences, head=head,
                               layers=layers, starts=device.starts)
        self.buffer = device.allocate(self.program.size)
        self.program.write(self.buffer.array, self.buffer.address, place=partial(device.place, self.buffer),
                           flush=partial(device.flush, self.buffer), progress=progress)
        device.flush(self.buffer, 0, self.program.size)
        self._stopping = Stopping(self.program, steps, self._read, self._write)
        self.positions = [0] * sequences
        self.counters = Counters()
        self.counts_zeros = device.near

    def set_taps(self, taps: Mapping[TapPoint, Tap]) -> None:
        """Other taps from the next pass on, at points that the session was opened with; none where `taps` has none."""
        for name in self.program.set_taps(taps):
            self.device.flush(self.buffer, self.program.memory[name], self.program.memory.sizes[name])
        self._stopping.steps.set_taps(taps)

    def set_host_steps(self, steps: HostSteps) -> None:
        """Other steps of the host from the next pass on."""
        steps.check(self.program.layers)
        self._stopping.steps = steps

    def profile(self) -> None:
        """From the next pass on, add up the engines' busy cycles, too."""
        self.counters.busy = self.counters.busy or {}

    @property
    def context(self) -> int:
        """Tokens the cache holds at most."""
        return self.model.config.context

    @property
    def remembers(self) -> bool:
        """Whether what acts on all rows has a memory, so that a cache is of no use to another request."""
        return bool(self._stopping.steps.acting.begins)

    @property
    def position(self) -> int:
        """Tokens of sequence 0 in the cache. Set it lower to take tokens back: the cache beyond is never read."""
        return self.positions[0]

    @position.setter
    def position(self, position: int) -> None:
        self.positions[0] = position

    def reset(self) -> None:
        """Forget the sequences."""
        self.positions = [0] * len(self.positions)

    def recover(self, *, rewrite: bool = False) -> None:
        """After an error, or where the device may have been reset or used by another: let it come to rest and set it up
        anew. rewrite: lay the model out again, too, where a program may have written over it.

        Sequences are as they were before the pass that failed: it counts for nothing, and may be run again. With
        `rewrite` their caches are lost, and they are empty. `DeviceError` where the device cannot be used.
        """
        self.device.recover(rewritten=rewrite)
        self.program.forget()
        if rewrite:
            self.buffer.array[:] = 0
            self.program.write(self.buffer.array, self.buffer.address, place=partial(self.device.place, self.buffer),
                               flush=partial(self.device.flush, self.buffer))
            self.device.flush(self.buffer, 0, self.program.size)
            self.reset()

    def prefill(self, ids: Sequence[int], on_tokens: Callable[[int], None] | None = None, *, sequence: int = 0) -> Top:
        """Append a prompt; returns the best next tokens after its last one."""
        if not len(ids):
            raise OptionError("the prompt is empty: there is no token to start from")
        self._room(sequence, len(ids))
        last = (len(ids) - 1) // self.rows * self.rows
        self.feed(ids[:last], on_tokens, sequence=sequence)
        self.run_pass("next", [(sequence, ids[last:])])
        if on_tokens:
            on_tokens(len(ids) - last)
        return self._best(1)[0]

    def feed(self, ids: Sequence[int], on_tokens: Callable[[int], None] | None = None, *, sequence: int = 0) -> None:
        """Append tokens to the cache without running the head."""
        self._room(sequence, len(ids))
        for start in range(0, len(ids), self.rows):
            part = ids[start:start + self.rows]
            self.run_pass("prefill", [(sequence, part)])
            if on_tokens:
                on_tokens(len(part))

    def decode(self, token: int, *, sequence: int = 0) -> Top:
        """Append one token; returns the best next ones."""
        return self.advance([(sequence, [token])])[0]

    def advance(self, parts: Sequence[tuple[int, Sequence[int]]], head_from: int = 0,
                own: Mapping[int, Acting] = _NOTHING) -> list[Top]:
        """Append tokens to sequences in one pass: (sequence, ids) each. The best next tokens after every token.

        head_from: rows at the front, tokens of prompts, that want none; if all do, the head does not run. own: what
        the host lets act on the rows of a sequence alone, behind what acts on all.
        """
        for sequence, ids in parts:
            self._room(sequence, len(ids))
        if head_from == sum(len(ids) for _, ids in parts):
            self.run_pass("prefill", parts, own=own)
            return []
        return self._best(self.run_pass("decode", parts, head_from, own) - head_from)

    def _best(self, rows: int) -> list[Top]:
        size, k = self.device.build.top_k, self.program.best
        pairs = self._read("top", rows * size * 8).view("<i4").reshape(rows, size, 2)[:, :k].copy()
        return [Top(row[:, 0], row[:, 1]) for row in pairs]

    def score(self, ids: Sequence[int], on_tokens: Callable[[int], None] | None = None) -> np.ndarray:
        """Append tokens; returns the integer logits after each, int32 [tokens, vocab]."""
        self._room(0, len(ids))
        out = np.empty((len(ids), self.model.config.vocab_size), np.int32)
        for start in range(0, len(ids), self.rows):
            part = ids[start:start + self.rows]
            out[start:start + len(part)] = self.score_parts([(0, part)])
            if on_tokens:
                on_tokens(len(part))
        return out

    def score_parts(self, parts: Sequence[tuple[int, Sequence[int]]], own: Mapping[int, Acting] = _NOTHING
                    ) -> np.ndarray:
        """As `advance`, with the integer logits after each token, int32 [rows, vocab]."""
        for sequence, ids in parts:
            self._room(sequence, len(ids))
        return self.logits(self.run_pass("score", parts, own=own))

    def logits(self, rows: int) -> np.ndarray:
        """The integer logits of the last pass, of kind "score" and so many rows, int32 [rows, vocab]."""
        vocab = self.model.config.vocab_size
        padded = -(-vocab // 4) * 4
        return self._read("logits", rows * padded * 4).view("<i4").reshape(rows, padded)[:, :vocab].copy()

    def cache(self, layer: int, sequence: int = 0) -> dict[str, np.ndarray]:
        """One layer's cached keys and values so far: rows [kv_heads, n, dim] and scale words [kv_heads, n]."""
        kv, n, build = self.program.memory.kv, self.positions[sequence], self.device.build
        data = self._read(cache_name(layer, sequence), kv.layer_bytes)
        row_bytes = build.kv.bytes_of(self.model.config.head_dim)

        def stored(what: str, size: int) -> np.ndarray:
            return data[kv.places(what, np.arange(n), size)]

        return {**{what: build.kv.levels(stored(what, row_bytes)) for what in ("keys", "values")},
                **{what: stored(what, 4).view("<u4")[..., 0] for what in ("key_scales", "value_scales")}}

    def checked(self, ids: Sequence[int]) -> np.ndarray:
        """Token ids as int64 [n]; `OptionError` for one that is outside the vocabulary."""
        vocab = self.model.config.vocab_size
        try:
            found = np.asarray(ids, np.int64)
        except OverflowError:
            raise OptionError(f"a token id is far outside the vocabulary of {vocab}") from None
        wrong = found[(found < 0) | (found >= vocab)]
        if wrong.size:
            raise OptionError(f"token id {wrong[0]} is outside the vocabulary of {vocab}")
        return found

    def _room(self, sequence: int, tokens: int) -> None:
        position = self.positions[sequence]
        if position + tokens > self.context:
            raise OptionError(f"the context is full: {position} tokens are in it and {tokens} more "
                             f"exceed its {self.context}")

    def run_pass(self, kind: str, parts: Sequence[tuple[int, Sequence[int]]], head_from: int = 0,
                 own: Mapping[int, Acting] = _NOTHING) -> int:
        """One pass of a kind (`Program`) over the ids of each (sequence, ids), appended; returns its rows.

        head_from: of "decode", as in `advance`; own: likewise.
        """
        if self.program.layers.start:
            raise OptionError(f"tokens enter at layer 0, but this session begins at layer {self.program.layers.start}")
        model = self.model
        ids = self.checked([token for _, part in parts for token in part])
        h = embed(model.embedding[ids], model.embedding_exponents[ids], model.residual_fraction_bits)
        self.run_layers(h, [(sequence, len(part)) for sequence, part in parts], kind, head_from, own)
        return len(ids)

    def run_layers(self, residual: np.ndarray, parts: Sequence[tuple[int, int]], kind: str = "prefill",
                   head_from: int = 0, own: Mapping[int, Acting] = _NOTHING) -> np.ndarray | None:
        """The session's layers over residual rows, int [rows, hidden], of the next tokens of sequences: (sequence, how
        many) each.

        Returns the rows behind them; None where the model's last layer is among them: `kind` says what the head does.
        """
        if len(residual) > self.rows:
            raise OptionError(f"a pass of {len(residual)} rows exceeds the {self.rows} of device {self.device.name} "
                              f"with build {self.device.build.name}")
        self._write("residual_in", residual.astype("<i4"))
        spans = spans_of(parts, own)
        told = told_rows(kind, parts, self.positions, head_from)
        for begin in self._stopping.steps.acting.begins:
            begin(told)
        for part in told:
            for begin in own[part.sequence].begins if part.sequence in own else ():
                begin([part])
        stops = self._stopping.steps.points.union(*(span.acting.points for span in spans))
        of_rows = tuple(Part(*part) for part in parts)
        for item in self.program.get_passes(kind, len(residual), of_rows, head_from, stops):
            if item.stop is not None:
                self._stopping.take(item.stop, len(residual), spans, last=not item.count)
            if item.count:
                self._run(item)
        for sequence, tokens in parts:
            self.positions[sequence] += tokens
        return None if self.program.ends_model else self._stopping.residual(len(residual))

    def _run(self, item: Pass) -> None:
        cycles = self.device.run(self.buffer.address + item.offset, item.count, *self.positions)
        self.counters.cycles += cycles
        if self.counts_zeros:
            self.counters.zeros += self.device.get("ZEROS")
            self.counters.activations += self.device.get("ACTIVATIONS")
        self.counters.add_weights(self.device.weights_read)
        if self.counters.busy is not None:
            self.counters.add_busy(self.device.busy())

    @property
    def saturations(self) -> int:
        """Residual channels that saturated so far, in this session; since the device was last reset, if it was."""
        return self.device.get("SATURATIONS")

    def _write(self, name: str, array: np.ndarray) -> None:
        data, start = np.ascontiguousarray(array).view(np.uint8).reshape(-1), self.program.memory[name]
        self.buffer.array[start:start + data.size] = data
        self.device.flush(self.buffer, start, data.size)

    def _read(self, name: str, size: int) -> np.ndarray:
        start = self.program.memory[name]
        self.device.invalidate(self.buffer, start, size)
        return self.buffer.array[start:start + size]
