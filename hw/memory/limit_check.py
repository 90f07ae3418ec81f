"""Limit check: whether a burst stays where memory may be accessed."""

from __future__ import annotations

from amaranth.hdl import Value
from amaranth.utils import exact_log2

from hw.memory.shapes import BURST_BYTES
from models.machine.build import BURST_BEATS, PORT_BYTES

__all__ = ["is_inside"]


def is_inside(address: Value, length: Value, base: Value, limit: Value) -> Value:
    """Whether a burst of `length` + 1 beats from byte `address` on lies in blocks `base` to `limit` - 1.

    A block has 256 bytes. A burst that leaves its block, or does not begin at a beat, is outside, whatever the limits:
    what is inside crosses no 4 KiB and never wraps. Combinational.
    """
    place, block = address[exact_log2(PORT_BYTES):exact_log2(BURST_BYTES)], address[exact_log2(BURST_BYTES):]
    whole = ~address[:exact_log2(PORT_BYTES)].any() & (place + length < BURST_BEATS)
    return whole & (block >= base) & (block < limit)
