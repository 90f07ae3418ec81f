"""Rows of the cache under the host's hand: which stay, and what rotary position the next ones have.

A device finds a token's place in the cache and its rotary vectors by one number, its position. Both lie in memory that
the host writes: bytes of a row mean the same at any place, and the table of rotary vectors may hold those of another
position at a place. So places and positions come apart on every device, without a bit of it changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from host.compiler.memory_map import cache_name
from host.runtime import Session
from models.errors import OptionError
from models.machine.tables import rope_table

__all__ = ["keep_rows", "row_bytes", "set_rotations"]


def keep_rows(session: Session, places: Sequence[int]) -> None:
    """Of sequence 0 only the rows at these places, ascending, stay; they close ranks, and the position follows."""
    kept = np.asarray(places, np.int64)
    if kept.size and (kept[0] < 0 or kept[-1] >= session.position or (np.diff(kept) <= 0).any()):
        raise OptionError(f"expected ascending places below {session.position}")
    memory, buffer, device = session.program.memory, session.buffer, session.device
    dim_bytes = device.build.kv.bytes_of(session.model.config.head_dim)
    moved = kept != np.arange(len(kept))
    for layer in session.program.layers:
        start, size = memory[cache_name(layer)], memory.kv.layer_bytes
        device.invalidate(buffer, start, size)
        region = buffer.array[start:start + size]
        for what, width in (("keys", dim_bytes), ("values", dim_bytes), ("key_scales", 4), ("value_scales", 4)):
            taken = region[memory.kv.places(what, kept[moved], width)]
            region[memory.kv.places(what, np.flatnonzero(moved), width)] = taken
        device.flush(buffer, start, size)
    session.position = len(kept)


def set_rotations(session: Session, place: int, positions: Sequence[int]) -> None:
    """Rows that will enter at `place` and behind it get the rotary vectors of these positions; for good, or until
    the next call."""
    config, start = session.model.config, session.program.memory["rope"]
    if place + len(positions) > config.context:
        raise OptionError(f"{place} rows and {len(positions)} more exceed the context of {config.context}")
    if not len(positions):
        return
    table = _table(config.rope_theta, config.head_dim, 1 << int(max(positions)).bit_length())
    data = table[np.asarray(positions)].astype("<i2").view(np.uint8).reshape(-1)
    first = start + place * config.head_dim * 2
    session.buffer.array[first:first + data.size] = data
    session.device.flush(session.buffer, first, data.size)


@lru_cache(maxsize=2)
def _table(theta: float, dim: int, positions: int) -> np.ndarray:
    return rope_table(theta, dim, positions)


def row_bytes(session: Session) -> int:
    """What one row takes in the caches of all layers: keys, values and their scales."""
    config = session.model.config
    size = session.device.build.kv.bytes_of(config.head_dim)
    return config.layers * config.kv_heads * 2 * (size + 4)
