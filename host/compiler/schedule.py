"""The descriptors of one pass over a model: what runs on which engine, and who waits for whom.

The rows of a pass are divided into groups that a descriptor takes at a time. Groups take turns: while the linear engine
multiplies for one, the vector engine and attention work on the other (`host.compiler.turns`). The list is a valid
sequential order. Weight streams are listed `FETCH_LEAD` matrices ahead of their use, fewer than a queue holds, so the
prefetcher runs ahead and the sequencer never waits for a stream nobody consumes. docs/program.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from host.compiler.descriptor_list import DescriptorList, Semaphore
from host.compiler.memory_map import TAP_BYTES, MemoryMap, cache_name, tap_name
from host.compiler.rows import Block, Group, Part, Piece, groups_of
from host.compiler.turns import Step, Turn, turns
from host.compiler.vocabulary import Chunk
from host.pipeline.normalisation import Normalisation, RMSNorm
from models.checkpoint import Model
from models.golden.model import TapPoint
from models.golden.scalar import log2_e_over_root, to_word
from models.golden.tap import Tap
from models.machine.build import SHORTLIST, BuildParameters
from models.machine.cache import BLOCK_TOKENS
from models.machine.descriptor import Activation, LoadTarget, NormSource, Opcode
from models.machine.layout import head_beats, head_beats_used, tile_count, weight_beats, weight_beats_used

__all__ = ["FETCH_LEAD", "Schedule"]

FETCH_LEAD = 6

_MATRICES = {Step.QKV: ("q", "k", "v"), Step.OUT: ("o",), Step.GATE_UP: ("gate", "up"), Step.DOWN: ("down",)}


@dataclass
class Schedule:
    """Builds the descriptor list of one pass of the rows of `parts`, at device addresses from `base`.

    parts: the sequences that the rows belong to, in order. group_rows: rows a descriptor takes at most (None: the
    build's M); more than M are batches of one MATMUL. chunks: those of the head's ternary copy, where the head is to
    score a shortlist; none: it scores all rows.
    """

    model: Model
    build: BuildParameters
    memory: MemoryMap
    base: int
    parts: tuple[Part, ...]
    taps: Mapping[TapPoint, Tap]
    head_from: int | None = 0  # the head runs on this row and those behind it; None: on none
    write_logits: bool = False
    group_rows: int | None = None
    chunks: Sequence[Chunk] = ()

    def __post_init__(self) -> None:
        self.config = self.model.config
        self.rows = sum(part.rows for part in self.parts)
        self.normalisation: Normalisation = RMSNorm(self.config.rms_eps)
        self.shapes = self.config.linear_shapes
        self._list = DescriptorList()
        self._groups = groups_of(self.parts, self.group_rows or self.build.rows, self.build.attention_rows)
        self._turns = list(turns(self.config.layers, len(self._groups)))
        self._streams = [f"{turn.layer}.{name}" for turn in self._turns for name in _MATRICES.get(turn.step, ())]
        start, step = self.rows if self.head_from is None else self.head_from, self.build.head_rows
        self._headed = range(start, self.rows)
        self._choosing = [(max(group.first_row, start), group.first_row + group.rows) for group in self._groups
                          if group.first_row + group.rows > start] if self.chunks else []
        self._streams += [chunk.name for _ in self._choosing for chunk in self.chunks]
        self._streams += ["head"] * (0 if self.chunks else len(self._headed[::step]))
        self._chunk_shapes = {chunk.name: (chunk.rows, self.config.hidden_size) for chunk in self.chunks}
        self._fetched = 0
        self._used = 0

    def emit(self) -> list[bytes]:
        """All descriptors of the pass."""
        steps = {Step.QKV: self._qkv, Step.HEADS: self._heads, Step.OUT: self._out, Step.GATE_UP: self._gate_up,
                 Step.DOWN: self._down, Step.END: self._end}
        for turn in self._turns:
            steps[turn.step](turn, self._groups[turn.group])
        if self.chunks:
            self._shortlist_logits()
        else:
            for first in self._headed[::self.build.head_rows]:
                self._logits(first, min(self.build.head_rows, self.rows - first))
        return self._list.packed()

    def _address(self, name: str) -> int:
        return self.base + self.memory[name]

    def _load(self, target: LoadTarget, address: int, size: int, *, signal: tuple[Semaphore, ...], stride: int = 0,
              offset: int = 0, sequence: int = 0) -> None:
        self._list.add(Opcode.LOAD, signal=signal, address=address, target=target, address_stride=stride, bytes=size,
                       offset=offset, sequence=sequence)

    def _load_residual(self, group: Group) -> None:
        """A group's embedding rows; the first group begins before the others' are there."""
        first = group.first_row * self.config.hidden_size
        self._load(LoadTarget.RESIDUAL, self._address("residual_in") + first * 4,
                   group.rows * self.config.hidden_size * 4, signal=(Semaphore.RESIDUAL_LOADED,), offset=first)

    def _load_angles(self) -> None:
        """Rotary vectors of all rows."""
        dim, first = self.config.head_dim, 0
        for n, part in enumerate(self.parts):
            last = n == len(self.parts) - 1
            self._load(LoadTarget.ROPE, self._address("rope"), part.rows * dim * 2,
                       signal=(Semaphore.ROPE_LOADED,) if last else (), stride=dim * 2, offset=first * dim,
                       sequence=part.sequence)
            first += part.rows

    def _fetch_ahead(self) -> None:
        """List the streams up to FETCH_LEAD beyond the matrix about to be used."""
        while self._fetched < min(self._used + FETCH_LEAD + 1, len(self._streams)):
            name = self._streams[self._fetched]
            if name == "head":
                shape = self.config.vocab_size, self.config.hidden_size, self.build
                beats, used = head_beats(*shape), head_beats_used(*shape)
            else:
                shape = *(self._chunk_shapes.get(name) or self.shapes[name.split(".")[1]]), self.build
                beats, used = weight_beats(*shape), weight_beats_used(*shape)
            self._list.add(Opcode.STREAM, address=self._address(name), beats=beats, padding=beats - used,
                           head=int(name == "head"), listed=0, row=0, row_beats=0)
            self._fetched += 1
        self._used += 1

    def _multiply(self, turn: Turn, group: Group) -> None:
        """The matrices of a step, one after another into the accumulators: they share their input."""
        names = _MATRICES[turn.step]
        ends = names if turn.step == Step.QKV else names[-1:]  # gate and up are read together
        for name in names:
            outputs, inputs = self.shapes[name]
            padded = self.build.padded_outputs(outputs)
            self._fetch_ahead()
            self._list.add(Opcode.MATMUL, wait=(Semaphore.ACTIVATIONS_READY,) if name == names[0] else (),
                           signal=(Semaphore.SUMS_READY,) if name in ends else (),
                           tiles=tile_count(inputs, self.build), outputs=padded, accumulator=self._sums(name, names),
                           rows=group.rows, first_row=group.first_row, batches=-(-group.rows // self.build.rows),
                           padding=padded - outputs)

    def _sums(self, name: str, names: tuple[str, ...]) -> int:
        """Accumulator word from which a matrix' sums lie, behind those of the ones before it in `names`."""
        before = names[:names.index(name)]
        return sum(-(-self.shapes[other][0] // self.build.outputs_per_step) for other in before)

    def _scale(self, layer: int, name: str) -> int:
        return int(self.model.layers[layer].linears[name].scale)

    def _tap_fields(self, point: TapPoint | None, wait: list[Semaphore], reads: list[LoadTarget]) -> dict[str, int]:
        """Load the tap of a point, if it has one, and the fields that say so; what its user waits for and reads."""
        tap = self.taps.get(point) if point is not None else None
        if tap is None:
            return {"tap": 0, "tap_add_exponent": 0, "tap_clip_exponent": 0, "tap_threshold_exponent": 0}
        wait += self._list.load_vector(LoadTarget.TAP, tap_name(point), self._address(tap_name(point)),
                                       tap.gain.size * TAP_BYTES)
        reads.append(LoadTarget.TAP)
        return {"tap": 1, "tap_add_exponent": tap.add_exponent, "tap_clip_exponent": tap.clip_exponent,
                "tap_threshold_exponent": tap.threshold_exponent}

    def _norm(self, gain_name: str, gains: tuple[np.ndarray, int] | None, source: NormSource, count: int, *,
              first_row: int, rows: int, point: TapPoint | None = None, wait: tuple[Semaphore, ...] = (),
              signal: tuple[Semaphore, ...] = (Semaphore.ACTIVATIONS_READY,), levels16: int = 0,
              **source_fields: int) -> None:
        waits, reads = list(wait), []
        if gains is not None:
            waits += self._list.load_vector(LoadTarget.GAIN, gain_name, self._address(gain_name), count * 2)
            reads.append(LoadTarget.GAIN)
        tap_fields = self._tap_fields(point, waits, reads)
        fields = {"activation": 0, "group_channels": 0, "gate_accumulator": 0, "up_accumulator": 0, "gate_scale": 0,
                  "up_scale": 0, **source_fields}
        self._list.add(Opcode.NORM, wait=waits, signal=signal, reads=reads, count=count, first_row=first_row,
                       rows=rows, source=source, levels16=levels16,
                       unit_exponent=-self.model.residual_fraction_bits if source == NormSource.RESIDUAL else 0,
                       **self.normalisation.fields(count, gains[1] if gains is not None else None), **tap_fields,
                       **fields)

    def _rows_of(self, rows: Group | Block) -> dict[str, int]:
        return {"first_row": rows.first_row, "rows": rows.rows}

    def _qkv(self, turn: Turn, group: Group) -> None:
        layer = turn.layer
        if layer:
            self._residual(layer - 1, "down", TapPoint(layer - 1, "residual"), group)
        else:
            self._load_residual(group)
        self._norm(f"{layer}.gain.input", self.model.layers[layer].gains["input"], NormSource.RESIDUAL,
                   self.config.hidden_size, point=TapPoint(layer, "qkv"),
                   wait=() if layer else (Semaphore.RESIDUAL_LOADED,), **self._rows_of(group))
        self._multiply(turn, group)

    def _heads(self, turn: Turn, group: Group) -> None:
        """The group's queries; then piece by piece keys and values, and attention beside the next piece's."""
        names, first = _MATRICES[Step.QKV], not turn.layer and not group.first_row
        if first:
            self._load_angles()
        self._list.add(Opcode.QUERY, wait=(Semaphore.SUMS_READY, *((Semaphore.ROPE_LOADED,) if first else ())),
                       heads=self.config.heads, dim=self.config.head_dim, accumulator=self._sums("q", names),
                       scale=self._scale(turn.layer, "q"), **self._rows_of(group))
        waits: tuple[Semaphore, ...] = (Semaphore.SUMS_READY,)  # of the first piece
        for block in group.blocks:
            for piece in block.pieces:
                self._attend(turn.layer, piece, waits, last=piece == block.pieces[-1])
                waits = ()

    def _attend(self, layer: int, piece: Piece, waits: tuple[Semaphore, ...], *, last: bool) -> None:
        """Keys and values of a piece, and its attention. last: of a block's."""
        config, kv, names = self.config, self.memory.kv, _MATRICES[Step.QKV]
        start = self._address(cache_name(layer, piece.sequence))
        shared = {"dim": config.head_dim, "head_bytes": kv.head_bytes, **piece._asdict()}
        written = {"heads": config.kv_heads, "scale_block_bytes": kv.scale_block_bytes, **shared}
        self._list.add(Opcode.KEY, wait=waits, accumulator=self._sums("k", names), scale=self._scale(layer, "k"),
                       address=start + kv.keys, address_stride=kv.row_bytes, block_bytes=kv.block_bytes,
                       region_bytes=kv.chunk_bytes, scale_address=start + kv.key_scales, **written)
        self._list.add(Opcode.VALUE, wait=waits, signal=(Semaphore.CACHE_READY,),
                       accumulator=self._sums("v", names), scale=self._scale(layer, "v"),
                       address=start + kv.values, address_stride=kv.value_stride,
                       block_bytes=BLOCK_TOKENS * kv.value_stride, region_bytes=kv.region_bytes,
                       scale_address=start + kv.value_scales, **written)
        self._list.add(Opcode.ATTEND, wait=(Semaphore.CACHE_READY,),
                       signal=(Semaphore.ATTENTION_READY,) if last else (),
                       heads=config.heads, kv_heads=config.kv_heads, key_scales=start + kv.key_scales,
                       value_scales=start + kv.value_scales, keys=start + kv.keys, values=start + kv.values,
                       block_bytes=kv.block_bytes, region_bytes=kv.region_bytes, row_bytes=kv.row_bytes,
                       score_constant=int(to_word(log2_e_over_root(config.head_dim))), **shared)

    def _out(self, turn: Turn, group: Group) -> None:
        config, layer = self.config, turn.layer
        for block in group.blocks:
            self._norm(f"{layer}.gain.attn_sub", self.model.layers[layer].gains.get("attn_sub"), NormSource.ATTENTION,
                       config.heads * config.head_dim, point=TapPoint(layer, "o"), wait=(Semaphore.ATTENTION_READY,),
                       signal=(Semaphore.ACTIVATIONS_READY,) if block == group.blocks[-1] else (),
                       group_channels=config.heads // config.kv_heads * config.head_dim, **self._rows_of(block))
        self._multiply(turn, group)

    def _gate_up(self, turn: Turn, group: Group) -> None:
        layer = turn.layer
        self._residual(layer, "o", None, group)
        self._norm(f"{layer}.gain.post_attention", self.model.layers[layer].gains["post_attention"],
                   NormSource.RESIDUAL, self.config.hidden_size, point=TapPoint(layer, "gate_up"),
                   **self._rows_of(group))
        self._multiply(turn, group)

    def _down(self, turn: Turn, group: Group) -> None:
        config, layer, names = self.config, turn.layer, _MATRICES[Step.GATE_UP]
        activation = {"relu2": Activation.RELU2, "silu": Activation.SILU}[config.activation]
        self._norm(f"{layer}.gain.ffn_sub", self.model.layers[layer].gains.get("ffn_sub"), NormSource.GATED,
                   config.ffn_size, point=TapPoint(layer, "down"), wait=(Semaphore.SUMS_READY,), activation=activation,
                   gate_accumulator=self._sums("gate", names), up_accumulator=self._sums("up", names),
                   gate_scale=self._scale(layer, "gate"), up_scale=self._scale(layer, "up"), **self._rows_of(group))
        self._multiply(turn, group)

    def _end(self, turn: Turn, group: Group) -> None:
        self._residual(turn.layer, "down", TapPoint(turn.layer, "residual"), group)

    def _residual(self, layer: int, name: str, point: TapPoint | None, group: Group) -> None:
        waits: list[Semaphore] = [Semaphore.SUMS_READY]
        reads: list[LoadTarget] = []
        tap_fields = self._tap_fields(point, waits, reads)
        self._list.add(Opcode.RESIDUAL, wait=waits, reads=reads, count=self.config.hidden_size,
                       fraction_bits=self.model.residual_fraction_bits, scale=self._scale(layer, name), accumulator=0,
                       **self._rows_of(group), **tap_fields)

    def _logits(self, first_row: int, rows: int) -> None:
        """The head for as many rows as it takes at a time."""
        self._head_norm(first_row, rows)
        self._fetch_ahead()
        self._best(first_row, rows, vocab=self.config.vocab_size, listed=0)

    def _head_norm(self, first_row: int, rows: int, *, exact: bool = True) -> None:
        """The head's input, with 32,767 levels where the logits are to be exact, else for a matrix product."""
        wait = (Semaphore.HEAD_FREE,) if exact and first_row > self._headed.start else ()
        self._norm("gain.final", self.model.final_gains, NormSource.RESIDUAL, self.config.hidden_size,
                   levels16=int(exact), point=TapPoint(self.config.layers, "head"), wait=wait,
                   signal=(Semaphore.HEAD_READY if exact else Semaphore.ACTIVATIONS_READY,), first_row=first_row,
                   rows=rows)

    def _best(self, first_row: int, rows: int, *, vocab: int, listed: int) -> None:
        index = first_row - self._headed.start
        self._list.add(Opcode.LOGITS, wait=(Semaphore.HEAD_READY,),
                       signal=(Semaphore.HEAD_FREE,) if first_row + rows < self.rows else (), vocab=vocab,
                       first_row=first_row, rows=rows, count=self.config.hidden_size, k=min(self.build.top_k, vocab),
                       write_logits=int(self.write_logits), listed=listed,
                       logits=self._address("logits") + index * -(-self.config.vocab_size // 4) * 16,
                       top=self._address("top") + index * self.build.top_k * 8)

    def _shortlist_logits(self) -> None:
        """The shortlists of all rows, group by group; then the logits of their ids, row by row."""
        for first, end in self._choosing:
            self._head_norm(first, end - first, exact=False)
            for chunk in self.chunks:
                self._choose(chunk, first, end)
        vocab, hidden = self.config.vocab_size, self.config.hidden_size
        listed = min(SHORTLIST, vocab)
        for row in self._headed:
            self._head_norm(row, 1)
            # listed behind all SELECTs: while it waits for the lists, none of those is held up
            self._list.add(Opcode.STREAM, wait=() if row > self._headed.start else (Semaphore.LIST_READY,),
                           address=self._address("head"), beats=head_beats(vocab, hidden, self.build), padding=0,
                           head=1, listed=listed, row=row, row_beats=-(-hidden // self.build.beat_bytes))
            self._best(row, 1, vocab=listed, listed=1)

    def _choose(self, chunk: Chunk, first: int, end: int) -> None:
        """Offer a chunk's rows to the lists of rows `first` .. `end` - 1; chunks take turns at halves of the sums."""
        half, rows = self.build.batch_words // 2, {"first_row": first, "rows": end - first}
        padded, last = self.build.padded_outputs(chunk.rows), chunk == self.chunks[-1]
        loaded = self._list.load_vector(LoadTarget.GAIN, chunk.scales_name, self._address(chunk.scales_name),
                                        chunk.scales_bytes)
        self._fetch_ahead()
        waits = {0: (Semaphore.ACTIVATIONS_READY,), 1: ()}.get(chunk.number, (Semaphore.SUMS_FREE,))
        self._list.add(Opcode.MATMUL, wait=waits, signal=(Semaphore.SUMS_READY,),
                       tiles=tile_count(self.config.hidden_size, self.build), outputs=padded,
                       accumulator=chunk.number % 2 * half, batches=1, padding=padded - chunk.rows, **rows)
        signals = [Semaphore.SUMS_FREE] * (chunk.number + 2 < len(self.chunks))
        if last and end == self.rows:
            signals.append(Semaphore.LIST_READY)
        self._list.add(Opcode.SELECT, wait=(Semaphore.SUMS_READY, *loaded), signal=signals, reads=(LoadTarget.GAIN,),
                       count=chunk.rows, accumulator=chunk.number % 2 * half, first_id=chunk.first,
                       k=min(SHORTLIST, self.config.vocab_size), begin=int(not chunk.number), **rows)
