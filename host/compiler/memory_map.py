"""Where everything of a program lies in one contiguous buffer of device memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from host.compiler.vocabulary import Chunk
from models.config import ModelConfig
from models.golden.model import TapPoint
from models.machine.build import BuildParameters
from models.machine.cache import (
    BLOCK_TOKENS,
    HEADER_BYTES,
    VALUE_SCALES,
    block_bytes,
    chunk_bytes,
    padded_row,
    places,
    value_region,
)
from models.machine.descriptor import DESCRIPTOR_BYTES, STEP_BYTES, LoadTarget
from models.machine.dram_starts import PACKED, DramStarts
from models.machine.layout import head_beats, weight_beats

__all__ = ["TAP_BYTES", "KVLayout", "MemoryMap", "cache_name", "memory_map", "padded_row_bytes", "tap_name"]

TAP_BYTES = {LoadTarget.TAP: 8, LoadTarget.AFFINE: 4}  # a channel: gain, add, clip, threshold; gain, add
PAGE = 4096


@dataclass(frozen=True)
class KVLayout:
    """One layer's cache, for each key-value head. Offsets are from the head's start, addresses logical.

    Token t's key: `keys` + t div 16 * block_bytes + t mod 16 * row_bytes. Its scales, 32-bit words: `key_scales` or
    `value_scales` + t div 16 * scale_block_bytes + t mod 16 * 4. Chunk c of its value: `values` + c * region_bytes +
    t * value_stride. A build that packs by rows has its four lists one after another, rows in one chunk; others:
    `models.machine.cache`.
    """

    build: BuildParameters
    kv_heads: int
    row_bytes: int
    chunk_bytes: int
    key_scales: int
    value_scales: int
    scale_block_bytes: int
    keys: int
    block_bytes: int
    values: int
    value_stride: int
    region_bytes: int
    head_bytes: int

    @classmethod
    def of(cls, config: ModelConfig, build: BuildParameters) -> KVLayout:
        """The layout of a model's layers on a build."""
        size, context, align = build.kv.bytes_of(config.head_dim), config.context, build.stream_align
        if build.packing == "rows":
            row_bytes, scales = _align(size, 16), _align(context * 4, 256)
            rows = _align(context * row_bytes, 256)
            return cls(build, config.kv_heads, row_bytes, row_bytes, 0, scales, 4 * BLOCK_TOKENS, 2 * scales,
                       BLOCK_TOKENS * row_bytes, 2 * scales + rows, row_bytes, 0, 2 * scales + 2 * rows)
        row_bytes, chunk = padded_row(size, build), chunk_bytes(build.ports)
        block, region = block_bytes(row_bytes), value_region(context, build)
        values = _align(-(-context // BLOCK_TOKENS) * block, align)
        return cls(build, config.kv_heads, row_bytes, chunk, 0, VALUE_SCALES, block, HEADER_BYTES, block, values, chunk,
                   region, values + row_bytes // chunk * region)

    def places(self, what: str, tokens: np.ndarray, size: int) -> np.ndarray:
        """Offsets from the layer's start of `size` bytes of each token's "keys", "values", "key_scales" or
        "value_scales".

        tokens: int [n]. Returns int [kv_heads, n, size].
        """
        stride, block, region = {
            "keys": (self.row_bytes, self.block_bytes, self.chunk_bytes),
            "values": (self.value_stride, BLOCK_TOKENS * self.value_stride, self.region_bytes),
        }.get(what, (4, self.scale_block_bytes, 0))
        at = places(getattr(self, what), tokens, size, stride=stride, block=block, region=region, build=self.build)
        return np.arange(self.kv_heads)[:, None, None] * self.head_bytes + at

    @property
    def layer_bytes(self) -> int:
        """Bytes of one layer."""
        return self.kv_heads * self.head_bytes


@dataclass
class MemoryMap:
    """Byte offsets from the buffer's start, by name, and the size of the whole."""

    kv: KVLayout
    offsets: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    total: int = 0
    stop_rows: int = 0
    """Rows that the regions of a stop hold."""

    def add(self, name: str, size: int, align: int = 256, *, starts: DramStarts = PACKED, start: int = 0) -> None:
        """Append a region, `start` bytes behind a multiple of the period of `starts`."""
        self.total = starts.behind(self.total, size, start, align)
        self.offsets[name], self.sizes[name] = self.total, size
        self.total += size

    def add_stops(self, config: ModelConfig, rows: int) -> None:
        """Append the regions through which rows leave at a stop and come back."""
        attention, ffn, hidden = config.heads * config.head_dim, config.ffn_size, config.hidden_size
        self.stop_rows = rows
        self.add("stop.rows", rows * max(hidden, attention, 2 * ffn) * 4)
        self.add("stop.steps", rows * STEP_BYTES)
        self.add("stop.inputs", rows * padded_row_bytes(max(hidden, attention, ffn)))
        self.add("stop.input_steps", rows * STEP_BYTES)
        self.add("stop.head_inputs", rows * padded_row_bytes(hidden))

    def __getitem__(self, name: str) -> int:
        return self.offsets[name]


def tap_name(point: TapPoint) -> str:
    """Name of the region that holds a point's tap."""
    return f"{point.layer}.tap.{point.site}"


def padded_row_bytes(channels: int) -> int:
    """From a row of inputs to the next one's, where the host gives them back."""
    return _align(channels * 2, 16)


def cache_name(layer: int, sequence: int = 0) -> str:
    """Name of the region that holds a layer's keys and values of a sequence."""
    return f"{layer}.kv.{sequence}" if sequence else f"{layer}.kv"


def _align(size: int, to: int) -> int:
    return -(-size // to) * to


def memory_map(config: ModelConfig, build: BuildParameters, *, rows: int, descriptors: int,
               taps: dict[str, int], sequences: int = 1, chunks: Sequence[Chunk] = (), layers: range | None = None,
               starts: DramStarts = PACKED) -> MemoryMap:
    """Lay out a model for programs of up to `rows` rows and `descriptors` descriptors, a cache for each sequence.

    taps: channels of each tap, by region name. chunks: of the head's ternary copy, where there is one. layers: those
    that the programs run, by default all; the head belongs to the last one. starts: of streams and caches, in a buffer
    that itself begins at a multiple of their period.
    """
    result = MemoryMap(KVLayout.of(config, build))
    layers = range(config.layers) if layers is None else layers
    result.add("descriptors", descriptors * DESCRIPTOR_BYTES, PAGE)
    result.add("residual_in", rows * config.hidden_size * 4)
    result.add("top", rows * build.top_k * 8)
    result.add("logits", rows * _align(config.vocab_size, 4) * 4)
    result.add("rope", config.context * config.head_dim * 2)
    for layer in layers:
        for gain, size in config.gain_sizes.items():
            result.add(f"{layer}.gain.{gain}", size * 2)
    result.add("gain.final", config.hidden_size * 2)
    for name, channels in taps.items():
        result.add(name, channels * TAP_BYTES[LoadTarget.TAP])  # any tap may come later
    for sequence in range(sequences):
        for layer in layers:
            result.add(cache_name(layer, sequence), result.kv.layer_bytes, PAGE, starts=starts, start=starts.caches)

    def add_stream(name: str, beats: int) -> None:
        result.add(name, beats * build.beat_bytes, build.stream_align, starts=starts, start=starts.streams)

    for layer in layers:
        for name, (outputs, inputs) in config.linear_shapes.items():
            add_stream(f"{layer}.{name}", weight_beats(outputs, inputs, build, grouped=config.grouped))
    if layers.stop == config.layers:
        add_stream("head", head_beats(config.vocab_size, config.hidden_size, build, grouped=config.grouped_tables))
    for chunk in chunks:
        result.add(chunk.scales_name, chunk.scales_bytes)
        add_stream(chunk.name, weight_beats(chunk.rows, config.hidden_size, build))
    result.add_stops(config, rows)
    result.total = _align(result.total, PAGE)
    return result
