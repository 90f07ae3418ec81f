"""Ternary weights with a scale for each 128 inputs of a row: their packing, and their scales as integers.

Packing of a row: a group of 128 trits takes 32 bytes; bits 2p, 2p + 1 of byte b hold trit 32 p + b, plus one. Scales
are mantissas k of 15 bits with one exponent e for a matrix, or one for each row of a vocabulary's table: k * 2**-e.
docs/numerics.md, section 15.
"""

from __future__ import annotations

import numpy as np

from models.errors import ModelError

__all__ = ["GROUP", "GROUP_BYTES", "MANTISSA_MAX", "ONE_SCALE", "SHIFT_LIMIT", "check_groups", "group_mantissas",
           "group_shift", "pack_groups", "unpack_groups"]

GROUP = 128
"""Inputs that share a scale."""

GROUP_BYTES = GROUP // 4
MANTISSA_MAX = 32767
SHIFT_LIMIT = 62
ONE_SCALE = ("this model's matrices have a scale for each 128 inputs of a row; what was asked for takes one for the "
             "whole matrix")
"""What is said to whoever would take trits alone for the weights."""

_MANTISSA_BITS = 15
_PLANES = np.array([0, 2, 4, 6], np.uint8)
_EXPONENT_LIMIT = 100


def pack_groups(trits: np.ndarray) -> np.ndarray:
    """trits: int8 [out, in] in -1..1, whole groups. Returns uint8 [out, in / 4]."""
    outputs, inputs = trits.shape
    codes = (trits + 1).astype(np.uint8).reshape(outputs, inputs // GROUP, 4, GROUP_BYTES) << _PLANES[:, None]
    return np.bitwise_or.reduce(codes, axis=2).reshape(outputs, inputs // 4)


def unpack_groups(packed: np.ndarray) -> np.ndarray:
    """Inverse of `pack_groups`: int8 [out, in]; the invalid code 3 gives 2."""
    outputs, width = packed.shape
    codes = packed.reshape(outputs, width // GROUP_BYTES, 1, GROUP_BYTES) >> _PLANES[:, None] & 3
    return codes.reshape(outputs, 4 * width).view(np.int8) - np.int8(1)


def check_groups(packed: np.ndarray) -> None:
    """`ModelError` where packed trits, uint8, hold the code 3."""
    if (packed & packed >> 1 & 0x55).any():
        raise ModelError("packed trits: expected two-bit codes 0 to 2, found 3")


def group_mantissas(scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float scales >= 0, [n, groups], to (int16 mantissas k [n, groups], exponents e, int64 [n]): value k * 2**-e.

    e is the largest with every k of its row within 15 bits; it is 0 for a row of zeros. Half to even. `ModelError` for
    scales that are negative, not finite or beyond 2**100.
    """
    scales = np.asarray(scales, np.float64)
    if not (np.isfinite(scales) & (scales >= 0)).all():
        raise ModelError("a scale must be a finite number, not negative")
    largest = scales.max(axis=-1)
    fraction, exponent = np.frexp(largest)
    e = _MANTISSA_BITS - exponent.astype(np.int64) - (np.rint(np.ldexp(fraction, _MANTISSA_BITS)) > MANTISSA_MAX)
    e = np.where(largest == 0, 0, np.minimum(e, _EXPONENT_LIMIT))
    if (e < -_EXPONENT_LIMIT).any():
        raise ModelError(f"expected scales below 2**{_MANTISSA_BITS + _EXPONENT_LIMIT}, found {largest.max():.3g}")
    return np.rint(np.ldexp(scales, e[..., None].astype(np.int32))).astype(np.int16), e


def group_shift(trits: np.ndarray, mantissas: np.ndarray, bits: int) -> int:
    """Bits by which a matrix' sums are rounded: so few that no int8 activations make one exceed `bits` bits.

    trits: int8 [out, in]; mantissas: int16 [out, groups].
    """
    used = np.count_nonzero(trits.reshape(len(trits), -1, GROUP), axis=2)
    largest = 127 * int((used * mantissas.astype(np.int64)).sum(axis=1).max(initial=0))
    limit, shift = (1 << bits - 1) - 1, 0
    while largest + (1 << shift >> 1) >> shift > limit:
        shift += 1
    return shift
