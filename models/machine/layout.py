"""How trits and head rows lie in a stream: by tile, output and table, packed five trits a byte.

Weight stream of one matrix [outputs, inputs], for a build with T tables: for each tile of 3 T inputs,
for each output (padded to `BuildParameters.outputs_align`), the tile's 3 T trits in order of the inputs. Five
trits are one byte, first trit least significant digit, each digit trit + 1. Ten outputs fill three beats, so a tile
is a whole number of beats. The stream is padded with zero trits to a whole number of bursts.

Head stream: blocks of `beat_bytes / 4` vocabulary rows: one beat with their scales (memory words), then
the rows, int8, each padded with zeros to whole beats. The last block is padded with zero rows.

A build that packs by rows takes both as the checkpoint has them: the packed trits row by row, and the head's rows,
then, from `head_scales_start` on, their scales. Scales by group (`models.ternary_groups`) such a build alone takes:
mantissas follow the packed trits from `mantissas_start` on, and a head's scales follow these.

In DRAM, beats are striped over the ports: of every group of 1,024 beats, port p's parts form 16 KiB without a gap,
so that each port reads whole bursts and stays in a DRAM bank of its own (`stripe`). docs/program.md.
"""

from __future__ import annotations

import numpy as np

from models.machine.build import BURST_BEATS, PORT_BYTES, TRITS_PER_BYTE, BuildParameters
from models.ternary_groups import GROUP

__all__ = ["STRIPE_BEATS", "grouped_head_scales_start", "head_beats", "head_beats_used", "head_scales_start",
           "head_stream", "mantissas_start", "stripe", "tile_count", "unstripe", "weight_beats",
           "weight_beats_used", "weight_stream"]

STRIPE_BEATS = 1024
"""Beats of a striping group: a port's part of it is 16 KiB, what a DRAM bank of the KV260 has in a row."""


def tile_count(inputs: int, build: BuildParameters) -> int:
    """Tiles that cover the inputs."""
    return -(-inputs // build.tile_inputs)


def _pad_to(data: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([data, np.zeros(size - data.size, data.dtype)])


def _whole_bursts(beats: int) -> int:
    return -(-beats // BURST_BEATS) * BURST_BEATS


def mantissas_start(rows: int, inputs: int) -> int:
    """Byte at which the mantissas follow the packed rows, by group, of a matrix or a head."""
    return -(-rows * inputs // 4 // 64) * 64


def grouped_head_scales_start(vocab: int, count: int) -> int:
    """Byte at which the scales follow the mantissas of a head."""
    return mantissas_start(vocab, count) + -(-vocab * (count // GROUP) * 2 // 64) * 64


def weight_beats_used(outputs: int, inputs: int, build: BuildParameters, *, grouped: bool = False) -> int:
    """Beats of a matrix' stream before the padding to whole bursts."""
    if grouped:
        return -(-(mantissas_start(outputs, inputs) + outputs * (inputs // GROUP) * 2) // build.beat_bytes)
    size = tile_count(inputs, build) * build.padded_outputs(outputs) * build.tile_inputs // TRITS_PER_BYTE
    return -(-size // build.beat_bytes)


def weight_beats(outputs: int, inputs: int, build: BuildParameters, *, grouped: bool = False) -> int:
    """Beats of a matrix' stream, padding included."""
    return _whole_bursts(weight_beats_used(outputs, inputs, build, grouped=grouped))


def weight_stream(trits: np.ndarray, build: BuildParameters) -> np.ndarray:
    """trits: int8 [outputs, inputs] in -1..1. Returns the stream's bytes, uint8, before striping."""
    outputs, inputs = trits.shape
    tiles, n = tile_count(inputs, build), build.padded_outputs(outputs)
    digits = np.ones((n, tiles * build.tile_inputs), np.uint8)
    digits[:outputs, :inputs] = (trits + 1).astype(np.uint8)
    ordered = digits.reshape(n, tiles, build.tile_inputs).transpose(1, 0, 2).reshape(-1, TRITS_PER_BYTE)
    packed = (ordered @ np.array([1, 3, 9, 27, 81], np.uint8)).astype(np.uint8)
    padding = np.full(weight_beats(outputs, inputs, build) * build.beat_bytes - packed.size, 121, np.uint8)
    return np.concatenate([packed, padding])


def head_scales_start(vocab: int, count: int) -> int:
    """Byte at which the scales follow the rows of a head, in a build that packs by rows."""
    return -(-vocab * count // 64) * 64


def head_beats_used(vocab: int, count: int, build: BuildParameters, *, grouped: bool = False) -> int:
    """Beats of the head's stream for `vocab` rows of `count` channels, before the padding to whole bursts."""
    if grouped:
        return -(-(grouped_head_scales_start(vocab, count) + vocab * 4) // build.beat_bytes)
    if build.packing == "rows":
        return -(-(head_scales_start(vocab, count) + vocab * 4) // build.beat_bytes)
    block_rows, row_beats = build.beat_bytes // 4, -(-count // build.beat_bytes)
    return -(-vocab // block_rows) * (1 + block_rows * row_beats)


def head_beats(vocab: int, count: int, build: BuildParameters, *, grouped: bool = False) -> int:
    """Beats of the head's stream, padding included."""
    return _whole_bursts(head_beats_used(vocab, count, build, grouped=grouped))


def head_stream(rows: np.ndarray, scales: np.ndarray, build: BuildParameters) -> np.ndarray:
    """rows: int8 [vocab, count], scales: uint32 memory words [vocab]. Returns uint8, before striping."""
    vocab, count = rows.shape
    block_rows, row_beats = build.beat_bytes // 4, -(-count // build.beat_bytes)
    blocks = -(-vocab // block_rows)
    padded = np.zeros((blocks * block_rows, row_beats * build.beat_bytes), np.int8)
    padded[:vocab, :count] = rows
    words = _pad_to(scales.astype("<u4"), blocks * block_rows).reshape(blocks, block_rows)
    body = padded.view(np.uint8).reshape(blocks, -1)
    stream = np.concatenate([words.view(np.uint8).reshape(blocks, -1), body], axis=1).reshape(-1)
    return _pad_to(stream, head_beats(vocab, count, build) * build.beat_bytes)


def _groups(data: np.ndarray, build: BuildParameters) -> list[tuple[np.ndarray, int]]:
    """The whole groups of a stream, [groups, bytes], and the last one, [1, bytes], with their beats."""
    size = STRIPE_BEATS * build.beat_bytes
    whole = data.size // size * size
    return [(data[:whole].reshape(-1, size), STRIPE_BEATS),
            (data[whole:].reshape(1, -1), (data.size - whole) // build.beat_bytes)]


def stripe(stream: np.ndarray, build: BuildParameters) -> np.ndarray:
    """Stream order to DRAM order, group by group: [beat, port, 16 bytes] to [port, beat, 16 bytes].

    A group has `STRIPE_BEATS` beats, the last one what is left; a stream has whole bursts, multiples of 16 beats.
    """
    return np.concatenate([group.reshape(len(group), beats, build.ports, PORT_BYTES).swapaxes(1, 2).reshape(-1)
                           for group, beats in _groups(stream, build)])


def unstripe(memory: np.ndarray, build: BuildParameters) -> np.ndarray:
    """DRAM order to stream order, of a whole stream."""
    return np.concatenate([group.reshape(len(group), build.ports, beats, PORT_BYTES).swapaxes(1, 2).reshape(-1)
                           for group, beats in _groups(memory, build)])
