"""Where everything of a program lies in one contiguous buffer of device memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.config import ModelConfig
from models.golden.model import TapPoint
from models.machine.build import BuildParameters
from models.machine.descriptor import DESCRIPTOR_BYTES
from models.machine.layout import head_beats, weight_beats

__all__ = ["TAP_BYTES", "KVLayout", "MemoryMap", "cache_name", "memory_map", "tap_name"]

TAP_BYTES = 8  # gain, add, clip, threshold, 16 bits each
PAGE = 4096


@dataclass(frozen=True)
class KVLayout:
    """One layer's cache: for each key-value head, key scales, value scales, keys, values of all positions.

    Offsets are from the head's start; scales are 32-bit words, rows `row_bytes` apart.
    """

    kv_heads: int
    row_bytes: int
    value_scales: int
    keys: int
    values: int
    head_bytes: int

    @classmethod
    def of(cls, config: ModelConfig, build: BuildParameters) -> KVLayout:
        """The layout of a model's layers on a build."""
        row_bytes = _align(config.head_dim * build.kv_bits // 8, 16)
        scales = _align(config.context * 4, 256)
        rows = _align(config.context * row_bytes, 256)
        return cls(config.kv_heads, row_bytes, scales, 2 * scales, 2 * scales + rows, 2 * scales + 2 * rows)

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

    def add(self, name: str, size: int, align: int = 256) -> None:
        """Append a region."""
        self.total = _align(self.total, align)
        self.offsets[name], self.sizes[name] = self.total, size
        self.total += size

    def __getitem__(self, name: str) -> int:
        return self.offsets[name]


def tap_name(point: TapPoint) -> str:
    """Name of the region that holds a point's tap."""
    return f"{point.layer}.tap.{point.site}"


def cache_name(layer: int, sequence: int = 0) -> str:
    """Name of the region that holds a layer's keys and values of a sequence."""
    return f"{layer}.kv.{sequence}" if sequence else f"{layer}.kv"


def _align(size: int, to: int) -> int:
    return -(-size // to) * to


def memory_map(config: ModelConfig, build: BuildParameters, *, rows: int, descriptors: int,
               taps: dict[str, int], sequences: int = 1) -> MemoryMap:
    """Lay out a model for programs of up to `rows` rows and `descriptors` descriptors, a cache for each sequence.

    taps: channels of each tap, by region name.
    """
    result = MemoryMap(KVLayout.of(config, build))
    result.add("descriptors", descriptors * DESCRIPTOR_BYTES, PAGE)
    result.add("residual_in", rows * config.hidden_size * 4)
    result.add("top", rows * build.top_k * 8)
    result.add("logits", rows * _align(config.vocab_size, 4) * 4)
    result.add("rope", config.context * config.head_dim * 2)
    for layer in range(config.layers):
        for gain, size in config.gain_sizes.items():
            result.add(f"{layer}.gain.{gain}", size * 2)
    result.add("gain.final", config.hidden_size * 2)
    for name, channels in taps.items():
        result.add(name, channels * TAP_BYTES)
    for sequence in range(sequences):
        for layer in range(config.layers):
            result.add(cache_name(layer, sequence), result.kv.layer_bytes, PAGE)
    for layer in range(config.layers):
        for name, (outputs, inputs) in config.linear_shapes.items():
            size = weight_beats(outputs, inputs, build) * build.beat_bytes
            result.add(f"{layer}.{name}", size, build.stream_align)
    size = head_beats(config.vocab_size, config.hidden_size, build) * build.beat_bytes
    result.add("head", size, build.stream_align)
    result.total = _align(result.total, PAGE)
    return result
