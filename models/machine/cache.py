"""How keys and values lie in the cache of a build that packs by tiles: for whole beats of all ports, in order of use.

A key-value head has a key region, then a value region for each chunk of a row (`chunk_bytes`, 32 where the ports
give as much). Keys: blocks of BLOCK_TOKENS tokens, each the tokens' key scales (words), their value scales, their
keys, one row after another. Values: of each token its chunk, so that one pass over a region completes the sums of the
chunk's channels. Regions start on multiples of `stream_align`.

Inside every `stream_align` bytes the ports' parts of 16 beats lie together, 256 contiguous bytes a port
(`physical`): each port reads whole bursts. docs/program.md.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from models.machine.build import BURST_BEATS, PORT_BYTES, BuildParameters

__all__ = ["BLOCK_TOKENS", "HEADER_BYTES", "VALUE_SCALES", "block_bytes", "chunk_bytes", "padded_row", "physical",
           "places", "value_region"]

BLOCK_TOKENS = 16
VALUE_SCALES = 4 * BLOCK_TOKENS  # from the block's start
HEADER_BYTES = 2 * VALUE_SCALES  # the scales of a block, before its keys

Address = TypeVar("Address", int, np.ndarray)  # an integer or an array of them


def chunk_bytes(ports: int) -> int:
    """Bytes of a row that one pass over the values takes: half a beat of four ports."""
    return min(32, ports * PORT_BYTES)


def padded_row(size: int, build: BuildParameters) -> int:
    """Bytes between keys: whole chunks, at least a beat."""
    chunk = chunk_bytes(build.ports)
    return max(-(-size // chunk) * chunk, build.beat_bytes)


def block_bytes(row_bytes: int) -> int:
    """Bytes of a block of keys and scales."""
    return HEADER_BYTES + BLOCK_TOKENS * row_bytes


def value_region(context: int, build: BuildParameters) -> int:
    """Bytes between the regions of two chunks of the values."""
    return -(-context * chunk_bytes(build.ports) // build.stream_align) * build.stream_align


def physical(address: Address, build: BuildParameters) -> Address:
    """Where the byte at a logical address lies: the port's number moves above the beat's in a group of 16."""
    beat_bytes, group = build.beat_bytes, build.stream_align
    inside = address % group
    beat, port = inside // beat_bytes, inside % beat_bytes // PORT_BYTES
    return address - inside + (port * BURST_BEATS + beat) * PORT_BYTES + inside % PORT_BYTES


def places(address: int, tokens: np.ndarray, size: int, *, stride: int, block: int, region: int,
           build: BuildParameters) -> np.ndarray:
    """Where the `size` bytes of each token lie: int [tokens, size].

    Token t's begin at the logical `address` + t div 16 * `block` + t mod 16 * `stride`, a chunk every `region` bytes;
    in a build that packs by rows they follow each other, and addresses are the memory's.
    """
    byte = np.arange(size)
    at = address + (tokens // BLOCK_TOKENS * block + tokens % BLOCK_TOKENS * stride)[:, None] + byte
    if build.packing == "rows":
        return at
    chunk = chunk_bytes(build.ports)
    return physical(at + byte // chunk * (region - chunk), build)
