"""A bitstream as the kernel's FPGA manager takes it, of Vivado's .bit file."""

from __future__ import annotations

import numpy as np

from models.errors import BuildError

__all__ = ["firmware"]

_FIRST = b"\x00\x09\x0f\xf0\x0f\xf0\x0f\xf0\x0f\xf0\x00\x00\x01"  # before the named fields
_WORD = 4


def firmware(bit: bytes) -> bytes:
    """The configuration data alone, each word of 32 bits with its bytes the other way round, as bootgen would.

    A .bit file has fields of one letter and a length of two bytes (design, part, date, time), then `e`, a length of
    four and the data. `BuildError` for what is none.
    """
    at = len(_FIRST)
    if not bit.startswith(_FIRST):
        raise BuildError("the bitstream does not begin as one of Vivado's does")
    while bit[at:at + 1] in (b"a", b"b", b"c", b"d"):
        at += 3 + int.from_bytes(bit[at + 1:at + 3], "big")
    size, data = int.from_bytes(bit[at + 1:at + 5], "big"), bit[at + 5:]
    if bit[at:at + 1] != b"e" or size != len(data) or size % _WORD or not size:
        raise BuildError("the bitstream is damaged or cut short")
    return np.frombuffer(data, np.uint32).byteswap().tobytes()
