"""Weight and head streams as matrices of rows, read out of the memory image once each.

A build that packs by rows (the emulator's own) needs no work: its streams are the checkpoint's bytes. Tiles
of a fabric's build are put back into rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from host.emulator.image import Image
from models.machine.build import TRITS_PER_BYTE, BuildParameters
from models.machine.layout import grouped_head_scales_start, head_scales_start, mantissas_start, unstripe
from models.ternary import pack_trits
from models.ternary_groups import GROUP

__all__ = ["COLUMN_TRITS", "COLUMN_UNIT", "Columns", "Groups", "Head", "Streams", "Weights", "trits_of_bytes"]

COLUMN_TRITS = 4
"""Outputs to a byte of a column, two bits each: more bytes than five, but the fastest to take apart."""

COLUMN_UNIT = 64
"""Bytes of a column are a multiple of this, and so many bytes of rows have their inputs' columns together."""

_CODES = 3**TRITS_PER_BYTE
_NEUTRAL = 121  # five zero trits
# digit j of byte b as a trit; bytes above 242 are invalid and decode as zeros
_DIGITS = (np.arange(256)[:, None] // 3 ** np.arange(TRITS_PER_BYTE)[None, :] % 3 - 1).astype(np.int8)
_DIGITS[_CODES:] = 0


def trits_of_bytes(data: np.ndarray) -> np.ndarray:
    """int8 [..., 5] of bytes [...]."""
    return _DIGITS[data]


class Weights(NamedTuple):
    """packed: uint8 [outputs, width], five trits a byte, all valid; invalid: how many bytes were not."""

    packed: np.ndarray
    invalid: int


class Columns(NamedTuple):
    """packed: uint8 [places of inputs, bytes], the same weights by columns; filled: int64 [1], 1 once they are there.

    The kernels fill them (native/live.h) where zeros first make that pay; until then they take no memory.
    """

    packed: np.ndarray
    filled: np.ndarray


class Head(NamedTuple):
    """rows: int8 [vocab, count]; scales: uint32 words [vocab]."""

    rows: np.ndarray
    scales: np.ndarray


class Groups(NamedTuple):
    """packed: uint8 [rows, 32 groups], two bits a trit; mantissas: int16 [rows, groups] (`models.ternary_groups`)."""

    packed: np.ndarray
    mantissas: np.ndarray


class Streams:
    """The matrices of an image, by address."""

    def __init__(self, build: BuildParameters, image: Image):
        self._build, self._image = build, image
        self._weights: dict[int, Weights] = {}
        self._columns: dict[int, Columns] = {}
        self._heads: dict[int, Head] = {}
        self._groups: dict[int, Groups] = {}

    def clear(self) -> None:
        """Forget everything, after the image changed."""
        self._weights.clear()
        self._columns.clear()
        self._heads.clear()
        self._groups.clear()

    def weights(self, address: int, tiles: int, outputs: int) -> Weights:
        """The matrix of a weight stream."""
        if address not in self._weights:
            build = self._build
            if build.packing == "rows":
                packed = self._image.stream(address, tiles * outputs).reshape(outputs, tiles)
                invalid = int(np.count_nonzero(packed >= _CODES)) if packed.max(initial=0) >= _CODES else 0
                if invalid:
                    packed = np.where(packed < _CODES, packed, np.uint8(_NEUTRAL))
            else:
                size = tiles * outputs * build.tile_inputs // TRITS_PER_BYTE
                size = -(-size // build.stream_align) * build.stream_align
                stream = unstripe(self._image.stream(address, size), build)
                invalid = int(np.count_nonzero(stream >= _CODES))
                trits = trits_of_bytes(stream).reshape(-1)[:tiles * outputs * build.tile_inputs]
                rows = trits.reshape(tiles, outputs, build.tile_inputs).swapaxes(0, 1).reshape(outputs, -1)
                packed = pack_trits(rows)
            self._weights[address] = Weights(packed, invalid)
        return self._weights[address]

    def groups(self, address: int, rows: int, groups: int) -> Groups:
        """The matrix, or head, of a stream with scales by group; a build that packs by rows alone has one."""
        if address not in self._groups:
            inputs = groups * GROUP
            packed = self._image.stream(address, rows * inputs // 4).reshape(rows, -1)
            start = mantissas_start(rows, inputs)
            mantissas = self._image.stream(address + start, rows * groups * 2).view("<i2").reshape(rows, groups)
            self._groups[address] = Groups(packed, mantissas)
        return self._groups[address]

    def group_scales(self, address: int, rows: int, groups: int) -> np.ndarray:
        """Scale words, uint32 [rows], of a head with scales by group."""
        return self._image.stream(address + grouped_head_scales_start(rows, groups * GROUP), rows * 4).view("<u4")

    def columns(self, address: int) -> Columns:
        """Room for the columns of a weight stream that was read before."""
        if address not in self._columns:
            outputs, width = self._weights[address].packed.shape
            places = -(-width // COLUMN_UNIT) * COLUMN_UNIT * TRITS_PER_BYTE
            size = -(-outputs // (COLUMN_UNIT * COLUMN_TRITS)) * COLUMN_UNIT
            raw = np.zeros(places * size + COLUMN_UNIT, np.uint8)
            start = -raw.ctypes.data % COLUMN_UNIT  # strips are parts of cache lines
            self._columns[address] = Columns(raw[start:start + places * size].reshape(places, size),
                                             np.zeros(1, np.int64))
        return self._columns[address]

    def head(self, address: int, vocab: int, count: int) -> Head:
        """The matrix of a head's stream."""
        if address not in self._heads:
            if self._build.packing == "rows":
                start = head_scales_start(vocab, count)
                rows = self._image.stream(address, vocab * count).view(np.int8).reshape(vocab, count)
                scales = self._image.stream(address + start, vocab * 4).view("<u4")
            else:
                beat = self._build.beat_bytes
                block_rows, row_beats = beat // 4, -(-count // beat)
                blocks = -(-vocab // block_rows)
                size = blocks * (1 + block_rows * row_beats) * beat
                aligned = -(-size // self._build.stream_align) * self._build.stream_align
                blocked = unstripe(self._image.stream(address, aligned), self._build)[:size].reshape(blocks, -1)
                scales = np.ascontiguousarray(blocked[:, :beat]).view("<u4").reshape(-1)[:vocab]
                rows = np.ascontiguousarray(blocked[:, beat:]).view(np.int8).reshape(-1, row_beats * beat)
                rows = np.ascontiguousarray(rows[:vocab, :count])
            self._heads[address] = Head(rows, scales)
        return self._heads[address]
