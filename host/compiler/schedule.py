"""The descriptors of one pass over a model: what runs on which engine, and who waits for whom.

The list is a valid sequential order: each descriptor's semaphores are given by earlier ones. Weight
streams are listed `FETCH_LEAD` matrices ahead of their use, fewer than a queue holds, so the
prefetcher runs ahead and the sequencer never waits for a stream nobody consumes.
docs/program.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from host.compiler.memory_map import TAP_BYTES, MemoryMap, cache_name, tap_name
from host.pipeline.normalisation import Normalisation, RMSNorm
from models.checkpoint import Model
from models.config import LINEARS
from models.golden.model import TapPoint
from models.golden.scalar import log2_e_over_root, to_word
from models.golden.tap import Tap
from models.machine.build import BuildParameters
from models.machine.cache import BLOCK_TOKENS
from models.machine.descriptor import Activation, LoadTarget, NormSource, Opcode, pack
from models.machine.layout import head_beats, head_beats_used, tile_count, weight_beats, weight_beats_used

__all__ = ["FETCH_LEAD", "Part", "Schedule", "Semaphore"]

FETCH_LEAD = 6


class Semaphore(IntEnum):
    """Uses of the semaphores; each has one waiting engine."""

    RESIDUAL_LOADED = 0
    GAIN_LOADED = 1
    ROPE_LOADED = 2
    ACTIVATIONS_READY = 3
    SUMS_READY = 4
    GAIN_FREE = 5
    CACHE_READY = 6
    ATTENTION_READY = 7
    HEAD_READY = 8
    TAP_LOADED = 9
    TAP_FREE = 10


class Part(NamedTuple):
    """Adjacent rows of a pass that are tokens of one sequence, from its position on."""

    sequence: int
    rows: int


@dataclass
class Schedule:
    """Builds the descriptor list of one pass of `rows` tokens, at device addresses from `base`.

    parts: the sequences that the rows belong to, in order; none: sequence 0.
    """

    model: Model
    build: BuildParameters
    memory: MemoryMap
    base: int
    rows: int
    taps: Mapping[TapPoint, Tap]
    head: bool = True  # run the head on every row
    write_logits: bool = False
    parts: tuple[Part, ...] = ()
    descriptors: list[bytes] = field(default_factory=list)
    _gain_used: bool = False
    _tap_used: bool = False

    def __post_init__(self) -> None:
        self.config = self.model.config
        self.normalisation: Normalisation = RMSNorm(self.config.rms_eps)
        self.shapes = self.config.linear_shapes
        self.parts = self.parts or (Part(0, self.rows),)
        self._streams = [f"{layer}.{name}" for layer in range(self.config.layers) for name in LINEARS]
        if self.head:
            self._streams.append("head")
        self._fetched = 0
        self._used = 0

    def emit(self) -> list[bytes]:
        """All descriptors of the pass."""
        hidden, config = self.config.hidden_size, self.config
        self._load(LoadTarget.RESIDUAL, "residual_in", self.rows * hidden * 4, signal=Semaphore.RESIDUAL_LOADED)
        for last, fields in self._by_sequence():
            first, rows = fields["first_row"], fields["rows"]
            self._load(LoadTarget.ROPE, "rope", rows * config.head_dim * 2,
                       signal=Semaphore.ROPE_LOADED if last else None, stride=config.head_dim * 2,
                       offset=first * config.head_dim, sequence=fields["sequence"])
        for layer in range(config.layers):
            self._attention(layer)
            self._feed_forward(layer)
        if self.head:
            self._norm("gain.final", self.model.final_gains, NormSource.RESIDUAL, hidden, levels16=1,
                       point=TapPoint(config.layers, "head"))
            self._logits()
        return self.descriptors

    def _add(self, opcode: Opcode, *, wait: tuple[Semaphore, ...] = (), signal: tuple[Semaphore, ...] = (),
             **fields: int) -> None:
        masks = [sum(1 << s for s in semaphores) for semaphores in (wait, signal)]
        self.descriptors.append(pack(opcode, wait=masks[0], signal=masks[1], **fields))

    def _address(self, name: str) -> int:
        return self.base + self.memory[name]

    def _by_sequence(self) -> Iterator[tuple[bool, dict[str, int]]]:
        """For each part whether it is the last, and its fields."""
        first = 0
        for part in self.parts:
            end = first + part.rows
            yield end == self.rows, {"first_row": first, "rows": part.rows, "sequence": part.sequence}
            first = end

    def _load(self, target: LoadTarget, name: str, size: int, *, signal: Semaphore | None,
              wait: tuple[Semaphore, ...] = (), stride: int = 0, offset: int = 0, sequence: int = 0) -> None:
        self._add(Opcode.LOAD, wait=wait, signal=() if signal is None else (signal,), address=self._address(name),
                  target=target, address_stride=stride, bytes=size, offset=offset, sequence=sequence)

    def _fetch_ahead(self) -> None:
        """List the streams up to FETCH_LEAD beyond the matrix about to be used."""
        while self._fetched < min(self._used + FETCH_LEAD + 1, len(self._streams)):
            name = self._streams[self._fetched]
            if name == "head":
                shape = self.config.vocab_size, self.config.hidden_size, self.build
                beats, used = head_beats(*shape), head_beats_used(*shape)
            else:
                shape = *self.shapes[name.split(".")[1]], self.build
                beats, used = weight_beats(*shape), weight_beats_used(*shape)
            self._add(Opcode.STREAM, address=self._address(name), beats=beats, padding=beats - used,
                      head=int(name == "head"))
            self._fetched += 1
        self._used += 1

    def _matmul(self, layer: int, name: str, base: int, *, first: bool, last: bool = True) -> int:
        """One matrix product into accumulator word `base`; returns the word after its outputs."""
        outputs, inputs = self.shapes[name]
        self._fetch_ahead()
        self._add(Opcode.MATMUL, wait=(Semaphore.ACTIVATIONS_READY,) if first else (),
                  signal=(Semaphore.SUMS_READY,) if last else (), tiles=tile_count(inputs, self.build),
                  outputs=self.build.padded_outputs(outputs), accumulator=base, rows=self.rows,
                  batches=-(-self.rows // self.build.rows), padding=self.build.padded_outputs(outputs) - outputs)
        return base - -outputs // self.build.outputs_per_step

    def _scale(self, layer: int, name: str) -> int:
        return int(self.model.layers[layer].linears[name].scale)

    def _tap_fields(self, point: TapPoint | None, wait: list[Semaphore], signal: list[Semaphore]) -> dict[str, int]:
        """Load the tap of a point, if it has one, and the fields that say so."""
        tap = self.taps.get(point) if point is not None else None
        if tap is None:
            return {"tap": 0, "tap_add_exponent": 0, "tap_clip_exponent": 0, "tap_threshold_exponent": 0}
        self._load(LoadTarget.TAP, tap_name(point), tap.gain.size * TAP_BYTES, signal=Semaphore.TAP_LOADED,
                   wait=(Semaphore.TAP_FREE,) if self._tap_used else ())
        self._tap_used = True
        wait.append(Semaphore.TAP_LOADED)
        signal.append(Semaphore.TAP_FREE)
        return {"tap": 1, "tap_add_exponent": tap.add_exponent, "tap_clip_exponent": tap.clip_exponent,
                "tap_threshold_exponent": tap.threshold_exponent}

    def _norm(self, gain_name: str | None, gains: tuple[np.ndarray, int] | None, source: NormSource, count: int, *,
              point: TapPoint | None = None, wait: tuple[Semaphore, ...] = (), levels16: int = 0,
              **source_fields: int) -> None:
        waits, signals = list(wait), [Semaphore.HEAD_READY if levels16 else Semaphore.ACTIVATIONS_READY]
        if gains is not None:
            self._load(LoadTarget.GAIN, gain_name, count * 2, signal=Semaphore.GAIN_LOADED,
                       wait=(Semaphore.GAIN_FREE,) if self._gain_used else ())
            self._gain_used = True
            waits.append(Semaphore.GAIN_LOADED)
            signals.append(Semaphore.GAIN_FREE)
        tap_fields = self._tap_fields(point, waits, signals)
        fields = {"activation": 0, "group_channels": 0, "gate_accumulator": 0, "up_accumulator": 0, "gate_scale": 0,
                  "up_scale": 0, **source_fields}
        self._add(Opcode.NORM, wait=tuple(waits), signal=tuple(signals), count=count, rows=self.rows, source=source,
                  levels16=levels16,
                  unit_exponent=-self.model.residual_fraction_bits if source == NormSource.RESIDUAL else 0,
                  **self.normalisation.fields(count, gains[1] if gains is not None else None), **tap_fields, **fields)

    def _attention(self, layer: int) -> None:
        config, gains, first = self.config, self.model.layers[layer].gains, layer == 0
        self._norm(f"{layer}.gain.input", gains["input"], NormSource.RESIDUAL, config.hidden_size,
                   point=TapPoint(layer, "qkv"), wait=(Semaphore.RESIDUAL_LOADED,) if first else ())
        q_base = 0
        k_base = self._matmul(layer, "q", q_base, first=True)
        v_base = self._matmul(layer, "k", k_base, first=False)
        self._matmul(layer, "v", v_base, first=False)
        self._add(Opcode.QUERY, wait=(Semaphore.SUMS_READY, *((Semaphore.ROPE_LOADED,) if first else ())),
                  heads=config.heads, dim=config.head_dim, rows=self.rows, accumulator=q_base,
                  scale=self._scale(layer, "q"))
        self._attend(layer, k_base, v_base)
        group = config.heads // config.kv_heads * config.head_dim
        self._norm(f"{layer}.gain.attn_sub", gains.get("attn_sub"), NormSource.ATTENTION,
                   config.heads * config.head_dim, point=TapPoint(layer, "o"), wait=(Semaphore.ATTENTION_READY,),
                   group_channels=group)
        self._matmul(layer, "o", 0, first=True)
        self._residual(layer, "o", None)

    def _attend(self, layer: int, k_base: int, v_base: int) -> None:
        """Sequence by sequence: its keys and values into its cache, then attention over it beside the next one's."""
        kv, config = self.memory.kv, self.config
        for last, part in self._by_sequence():
            start, waits = self._address(cache_name(layer, part["sequence"])), not part["first_row"]
            shared = {"dim": config.head_dim, "head_bytes": kv.head_bytes, **part}
            written = {"heads": config.kv_heads, "scale_block_bytes": kv.scale_block_bytes, **shared}
            self._add(Opcode.KEY, wait=(Semaphore.SUMS_READY,) if waits else (), accumulator=k_base,
                      scale=self._scale(layer, "k"), address=start + kv.keys, address_stride=kv.row_bytes,
                      block_bytes=kv.block_bytes, region_bytes=kv.chunk_bytes, scale_address=start + kv.key_scales,
                      **written)
            self._add(Opcode.VALUE, wait=(Semaphore.SUMS_READY,) if waits else (), signal=(Semaphore.CACHE_READY,),
                      accumulator=v_base, scale=self._scale(layer, "v"), address=start + kv.values,
                      address_stride=kv.value_stride, block_bytes=BLOCK_TOKENS * kv.value_stride,
                      region_bytes=kv.region_bytes, scale_address=start + kv.value_scales, **written)
            self._add(Opcode.ATTEND, wait=(Semaphore.CACHE_READY,),
                      signal=(Semaphore.ATTENTION_READY,) if last else (), heads=config.heads,
                      kv_heads=config.kv_heads, key_scales=start + kv.key_scales,
                      value_scales=start + kv.value_scales, keys=start + kv.keys, values=start + kv.values,
                      block_bytes=kv.block_bytes, region_bytes=kv.region_bytes, row_bytes=kv.row_bytes,
                      score_constant=int(to_word(log2_e_over_root(config.head_dim))), **shared)

    def _feed_forward(self, layer: int) -> None:
        config, gains = self.config, self.model.layers[layer].gains
        self._norm(f"{layer}.gain.post_attention", gains["post_attention"], NormSource.RESIDUAL, config.hidden_size,
                   point=TapPoint(layer, "gate_up"))
        up_base = self._matmul(layer, "gate", 0, first=True, last=False)
        self._matmul(layer, "up", up_base, first=False)
        activation = {"relu2": Activation.RELU2, "silu": Activation.SILU}[config.activation]
        self._norm(f"{layer}.gain.ffn_sub", gains.get("ffn_sub"), NormSource.GATED, config.ffn_size,
                   point=TapPoint(layer, "down"), wait=(Semaphore.SUMS_READY,), activation=activation,
                   gate_accumulator=0, up_accumulator=up_base, gate_scale=self._scale(layer, "gate"),
                   up_scale=self._scale(layer, "up"))
        self._matmul(layer, "down", 0, first=True)
        self._residual(layer, "down", TapPoint(layer, "residual"))

    def _residual(self, layer: int, name: str, point: TapPoint | None) -> None:
        waits: list[Semaphore] = [Semaphore.SUMS_READY]
        signals: list[Semaphore] = []
        tap_fields = self._tap_fields(point, waits, signals)
        self._add(Opcode.RESIDUAL, wait=tuple(waits), signal=tuple(signals), count=self.config.hidden_size,
                  rows=self.rows, fraction_bits=self.model.residual_fraction_bits, scale=self._scale(layer, name),
                  accumulator=0, **tap_fields)

    def _logits(self) -> None:
        self._fetch_ahead()
        self._add(Opcode.LOGITS, wait=(Semaphore.HEAD_READY,), vocab=self.config.vocab_size, rows=self.rows,
                  count=self.config.hidden_size, k=min(self.build.top_k, self.config.vocab_size),
                  write_logits=int(self.write_logits), logits=self._address("logits"), top=self._address("top"))


