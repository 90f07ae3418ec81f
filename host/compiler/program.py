"""A program: a model laid out for a build in device memory, with the descriptors of its passes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from host.compiler.cuts import Cut, cuts_of, every_cut
from host.compiler.memory_map import KVLayout, MemoryMap, memory_map, tap_name
from host.compiler.program_check import check_program
from host.compiler.rows import Part, most_divided
from host.compiler.schedule import Listed, Schedule
from host.compiler.turns import Step
from host.compiler.vocabulary import HEADS, chunks_of
from hw.boards.registry import board_of
from models.checkpoint import Model
from models.config import LINEARS
from models.errors import OptionError
from models.golden.closed_loop import ClosedLoop
from models.golden.model import TapPoint
from models.golden.tap import Tap, neutral_tap
from models.machine.build import SHORTLIST, BuildParameters
from models.machine.descriptor import DESCRIPTOR_BYTES
from models.machine.dram_starts import DramStarts
from models.machine.layout import (
    grouped_head_scales_start,
    head_scales_start,
    head_stream,
    mantissas_start,
    stripe,
    weight_stream,
)
from models.machine.registers import SEQUENCES
from models.machine.tables import rope_table
from models.model import GroupedMatrix, GroupedTable, Matrix
from models.ternary import pack_trits
from models.ternary_head import ternary_head

__all__ = ["Pass", "Program"]

PASS_KINDS = ("prefill", "next", "decode", "score")
_KEPT_LISTS = 64  # descriptor lists: drafts and batches come back in a few shapes
_PassKey = tuple[str, tuple[Part, ...], int, frozenset[TapPoint]]
_NOWHERE: frozenset[TapPoint] = frozenset()


@dataclass(frozen=True)
class Pass:
    """One doorbell: `count` descriptors, perhaps none, at byte offset `offset` of the program's buffer.

    stop: what the host has to do before it; None: nothing.
    """

    offset: int
    count: int
    stop: Cut | None = None


class Program:
    """A model on a build. Sizes are known at once; `write` fills a buffer, whose address passes then use.

    Kinds of pass: "prefill" (tokens enter the cache, no head), "next" (the best k after the last row are returned),
    "decode" (those of every row, or of those from one on), "score" (the logits of every row are written as well). A
    pass takes up to `rows` tokens of up to `sequences` sequences, each with a cache. head: "exact", or "shortlist"
    where "next" and "decode" are to score only the rows that a ternary copy of the head finds best.

    layers: those that passes run, by default all; where the model's last one is not among them, a pass ends with a stop
    at which the residual rows lie in "stop.rows". starts: where streams and caches begin, by default as the build's
    board has it.
    """

    def __init__(self, model: Model, build: BuildParameters, *, rows: int, taps: Mapping[TapPoint, Tap] | None = None,
                 sequences: int = 1, head: str = "exact", layers: range | None = None,
                 starts: DramStarts | None = None):
        build.check(model.config)
        self.layers = range(model.config.layers) if layers is None else layers
        if not (self.layers and 0 <= self.layers.start < self.layers.stop <= model.config.layers
                and self.layers.step == 1):
            raise OptionError(f"layers must be some in a row of 0 .. {model.config.layers - 1}, got {self.layers}")
        if head not in HEADS:
            raise OptionError(f"unknown head {head!r}; known: {', '.join(HEADS)}")
        if head != HEADS[0] and model.config.grouped_tables:
            raise OptionError(f"head {head}: the model's head is ternary itself; use --head {HEADS[0]}")
        if not 1 <= sequences <= SEQUENCES:
            raise OptionError(f"sequences must be 1 to {SEQUENCES}, got {sequences}")
        self.model, self.build, self.rows, self.sequences = model, build, rows, sequences
        self.taps, self.head = dict(taps or {}), head
        self._chunks = chunks_of(model.config.vocab_size, build) if head == "shortlist" else []
        self._slots = self._pass_slots()
        config = model.config
        self.memory: MemoryMap = memory_map(config, build, rows=rows, descriptors=sum(self._slots.values()),
                                            taps={tap_name(p): t.gain.size for p, t in self.taps.items()},
                                            sequences=sequences, chunks=self._chunks, layers=self.layers,
                                            starts=board_of(build).starts if starts is None else starts)
        self._lists: dict[_PassKey, list[Listed]] = {}
        self._written: dict[str, _PassKey] = {}

    @property
    def size(self) -> int:
        """Bytes of contiguous device memory."""
        return self.memory.total

    @property
    def ends_model(self) -> bool:
        """Whether the model's last layer is among those of a pass."""
        return self.layers.stop == self.model.config.layers

    @property
    def best(self) -> int:
        """Ids and logits that come back for a row."""
        scored = self.model.config.vocab_size
        return min(self.build.top_k, min(scored, SHORTLIST) if self._chunks else scored)

    def _pass_slots(self) -> dict[str, int]:
        """Descriptor slots of each kind of pass: at least those of its longest list.

        That stops wherever it can, but for stops of one row at which the host gives no inputs back: the norm that then
        stays, with its gains and tap, is one descriptor more than the inputs and their step.
        """
        dummy = MemoryMap(KVLayout.of(self.model.config, self.build), offsets=_AnyOffset())
        parts = most_divided(self.rows, min(self.sequences, self.rows), self.build.attention_rows)
        cuts = every_cut(self.layers)
        return {kind: len(cuts) + sum(len(item.descriptors)
                                      for item in self._schedule(kind, parts, dummy, 0, cuts).emit())
                for kind in PASS_KINDS}

    def _schedule(self, kind: str, parts: tuple[Part, ...], memory: MemoryMap, base: int, cuts: Sequence[Cut],
                  head_from: int = 0) -> Schedule:
        rows = sum(part.rows for part in parts)
        from_row = {"prefill": None, "next": rows - 1}.get(kind, head_from) if self.ends_model else None
        return Schedule(self.model, self.build, memory, base, parts, self.taps, head_from=from_row,
                        write_logits=kind == "score", chunks=() if kind == "score" else self._chunks,
                        layers=self.layers, cuts=self._possible(cuts, has_head=from_row is not None))

    def _possible(self, cuts: Sequence[Cut], *, has_head: bool) -> list[Cut]:
        """Those of a pass: the head's need a head; what leaves a range of layers needs a stop."""
        cuts = [cut if has_head or cut.step != Step.END else cut._replace(inputs=False) for cut in cuts]
        cuts = [cut for cut in cuts if cut.residual or cut.inputs]
        if not self.ends_model and (not cuts or cuts[-1].step != Step.END):
            cuts.append(Cut(self.layers.stop - 1, Step.END, residual=False, inputs=False))
        return cuts

    def write(self, memory: np.ndarray, base: int, *, place: Callable[[int, np.ndarray], None] | None = None,
              flush: Callable[[int, int], None] | None = None, progress: bool = False) -> None:
        """Write the constant parts into `memory`, uint8 [size], which the device sees at address `base`.

        place: takes the offset and bytes of streams that stay as the checkpoint has them, instead of a copy. flush: is
        told of the offset and size of descriptors that are written later.
        """
        self._memory, self._base = memory, base
        self._place, self._flush = place or self._copy, flush
        config, model = self.model.config, self.model
        self._put("rope", rope_table(config.rope_theta, config.head_dim, config.context))
        for point, tap in self.taps.items():
            self._put_tap(point, tap)
        self._put("gain.final", model.final_gains[0])
        quiet = not (progress and sys.stderr.isatty())
        for index in tqdm(self.layers, "laying out", unit="layer", leave=False, disable=quiet):
            layer = model.layers[index]
            for name, (mantissas, _) in layer.gains.items():
                self._put(f"{index}.gain.{name}", mantissas)
            for name in LINEARS:
                self._put_weights(f"{index}.{name}", layer.linears[name])
        if self.ends_model:
            self._put_head(model.head, model.head_scales)
        if self._chunks:
            self._put_ternary_head(model, quiet)

    def _put_weights(self, name: str, matrix: Matrix) -> None:
        if isinstance(matrix, GroupedMatrix):
            self._put_groups(self.memory[name], matrix)
        elif self.build.packing == "rows":
            self._place(self.memory[name], _bytes(matrix.packed))
        else:
            self._put_trits(name, matrix.trits())

    def _put_groups(self, start: int, rows: GroupedMatrix | GroupedTable) -> None:
        self._place(start, _bytes(rows.packed))
        self._place(start + mantissas_start(*rows.shape), _bytes(rows.mantissas))

    def _put_trits(self, name: str, trits: np.ndarray) -> None:
        self._put(name, stripe(weight_stream(trits, self.build), self.build))

    def _put_ternary_head(self, model: Model, quiet: bool) -> None:
        copy = ternary_head(model.head, model.head_scales)
        for chunk in tqdm(self._chunks, "laying out", unit="chunk", leave=False, disable=quiet):
            end = chunk.first + chunk.rows
            scales, trits = np.zeros(chunk.scales_bytes // 2, "<i2"), copy.trits(chunk.first, end)
            scales[:chunk.rows] = copy.scales[chunk.first:end]
            self._put(chunk.scales_name, scales)
            if self.build.packing == "rows":
                self._place(self.memory[chunk.name], _bytes(pack_trits(trits)))
            else:
                self._put_trits(chunk.name, trits)

    def _put_head(self, rows: np.ndarray | GroupedTable, scales: np.ndarray) -> None:
        if isinstance(rows, GroupedTable):
            start = self.memory["head"]
            self._put_groups(start, rows)
            self._place(start + grouped_head_scales_start(*rows.shape), _bytes(scales))
        elif self.build.packing == "rows":
            start = self.memory["head"]
            self._place(start, _bytes(rows))
            self._place(start + head_scales_start(*rows.shape), _bytes(scales))
        else:
            self._put("head", stripe(head_stream(rows, scales, self.build), self.build))

    def _put_tap(self, point: TapPoint, tap: Tap) -> None:
        records = _tap_records(tap)
        region = np.zeros(self.memory.sizes[tap_name(point)], np.uint8)
        region[:records.nbytes] = _bytes(records)
        self._put(tap_name(point), region)

    def _put(self, name: str, array: np.ndarray) -> None:
        data = _bytes(array)
        if data.size != self.memory.sizes[name]:
            raise ValueError(f"{name}: {data.size} bytes for a region of {self.memory.sizes[name]}")
        self._copy(self.memory[name], data)

    def _copy(self, start: int, data: np.ndarray) -> None:
        self._memory[start:start + data.size] = data

    def set_taps(self, taps: Mapping[TapPoint, Tap]) -> list[str]:
        """Other taps at the points that have one, where `taps` lacks a point none; the names of the regions written.

        `OptionError` for a point without a region. Kept lists are dropped where what descriptors hold changes: an
        exponent, a loop's setpoint, whether there is a clip or a threshold.
        """
        for point in taps:
            if point not in self.taps:
                raise OptionError(f"no tap was laid out at layer {point.layer}, {point.site}: open a session with one")
        changed = {point: taps.get(point) or _without_effect(tap) for point, tap in self.taps.items()}
        if any(_in_descriptors(changed[point]) != _in_descriptors(tap) for point, tap in self.taps.items()):
            self._lists.clear()
            self._written.clear()
        self.taps = changed
        for point, tap in changed.items():
            self._put_tap(point, tap)
        return [tap_name(point) for point in changed]

    def forget(self) -> None:
        """Write descriptors anew before they run again: those in memory may be damaged."""
        self._written.clear()

    def get_passes(self, kind: str, rows: int, parts: tuple[Part, ...] = (), head_from: int = 0,
                   stops: frozenset[TapPoint] = _NOWHERE) -> list[Pass]:
        """The pass of a kind over `rows` tokens, in one piece unless it stops; its descriptors are written where those
        of another lay.

        parts: the sequences that the rows belong to, in order; none: sequence 0. head_from: of "decode", the first row
        with a head; the best k of that row come first. stops: points at which the host takes part (`cuts_of`).
        """
        parts = parts or (Part(0, rows),)
        key = (kind, parts, head_from, stops)
        if key not in self._lists:
            if len(self._lists) == _KEPT_LISTS:
                del self._lists[next(iter(self._lists))]
            made = self._schedule(kind, parts, self.memory, self._base, cuts_of(stops, self.layers), head_from).emit()
            check_program(b"".join(b"".join(item.descriptors) for item in made), self.build, base=self._base,
                          size=self.size, context=self.model.config.context, sequences=self.sequences)
            self._lists[key] = made
        listed, offset = self._lists[key], self.memory["descriptors"]
        for other in PASS_KINDS[:PASS_KINDS.index(kind)]:
            offset += self._slots[other] * DESCRIPTOR_BYTES
        if self._written.get(kind) != key:
            data = np.frombuffer(b"".join(b"".join(item.descriptors) for item in listed), np.uint8)
            if data.size > self._slots[kind] * DESCRIPTOR_BYTES:
                raise ValueError(f"{data.size // DESCRIPTOR_BYTES} descriptors for {self._slots[kind]} slots")
            self._written.pop(kind, None)  # until all of it is where the device sees it
            self._memory[offset:offset + data.size] = data
            if self._flush is not None:
                self._flush(offset, data.size)
            self._written[kind] = key
        passes = []
        for item in listed:
            passes.append(Pass(offset, len(item.descriptors), item.stop))
            offset += len(item.descriptors) * DESCRIPTOR_BYTES
        return passes


def _bytes(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(np.uint8).reshape(-1)


class _AnyOffset(dict):
    def __missing__(self, name: str) -> int:
        return 0


def _without_effect(tap: Tap) -> Tap:
    """A neutral tap with the exponents of another."""
    neutral = neutral_tap(tap.gain.size)
    return replace(tap, gain=neutral.gain, add=neutral.add, clip=neutral.clip, threshold=neutral.threshold)


def _in_descriptors(tap: Tap) -> tuple[int, ...]:
    """What descriptors hold of a tap."""
    loop = (tap.acts, tap.setpoint) if isinstance(tap, ClosedLoop) else ()
    return tap.affine, tap.add_exponent, tap.clip_exponent, tap.threshold_exponent, *loop


def _tap_records(tap: Tap) -> np.ndarray:
    fields = [tap.gain.astype("<i2").view("<u2"), tap.add.astype("<i2").view("<u2")]
    if not tap.affine:
        fields += [tap.clip.astype("<u2"), tap.threshold.astype("<u2")]
    return np.stack(fields, axis=1)
