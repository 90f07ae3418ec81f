"""Ternary weights: quantisation as transformers does it, and the packing of five trits a byte.

Packing of a row: trit 5b + j is digit j of byte b, stored as trit + 1, first trit least significant:
byte = sum over j of (trit + 1) * 3**j, so 0 .. 242. Rows are padded with zero trits to whole bytes.
"""

from __future__ import annotations

import numpy as np

from models.errors import ModelError

__all__ = ["TRITS_PER_BYTE", "check_packed", "pack_trits", "packed_width", "quantise_ternary", "unpack_trits"]

TRITS_PER_BYTE = 5
_POWERS = np.array([1, 3, 9, 27, 81], np.uint8)
_CODES = 3**TRITS_PER_BYTE
_TRITS_OF_CODE = (np.arange(_CODES)[:, None] // _POWERS % 3 - 1).astype(np.int8)  # [243, 5]
_CLAMP = np.float32(1e-5)  # transformers' least mean magnitude


def quantise_ternary(w: np.ndarray) -> tuple[np.ndarray, float]:
    """Ternarise float weights [out, in] in float32: clip(round(w s), -1, 1), s = 1 / max(mean|w|, 1e-5).

    Rounds half to even. Returns trits, int8 [out, in], and the value of trit 1, which is 1 / s.
    transformers `AutoBitLinear` in online mode; only the mean's order of summation is free. `ModelError` for weights
    so large that 1 / s leaves float32.
    """
    w = np.asarray(w, np.float32)
    # pairwise float32 sums would drift at 17M weights; the float64 mean is the correctly rounded one
    mean = np.float32(np.abs(w).mean(dtype=np.float64))
    s = np.float32(1) / np.maximum(mean, _CLAMP)
    trits = np.clip(np.rint(w * s), -1, 1).astype(np.int8)
    with np.errstate(over="ignore"):
        scale = float(np.float32(1) / s)
    if scale == np.inf:
        raise ModelError(f"expected weights whose mean magnitude has an inverse in float32, found {mean}")
    return trits, scale


def packed_width(inputs: int) -> int:
    """Bytes of a packed row of `inputs` trits."""
    return -(-inputs // TRITS_PER_BYTE)


def pack_trits(trits: np.ndarray) -> np.ndarray:
    """trits: int8 [out, in] in -1..1. Returns uint8 [out, ceil(in / 5)]."""
    outputs, inputs = trits.shape
    digits = np.ones((outputs, packed_width(inputs) * TRITS_PER_BYTE), np.uint8)
    digits[:, :inputs] = (trits + 1).astype(np.uint8)
    return digits.reshape(outputs, -1, TRITS_PER_BYTE) @ _POWERS


def check_packed(packed: np.ndarray, inputs: int) -> None:
    """`ModelError` unless packed, uint8 [out, width], has the width of `inputs` trits, no byte above 242."""
    if packed.shape[1] != packed_width(inputs):
        raise ModelError(f"packed trits: expected {packed_width(inputs)} bytes a row for {inputs} inputs, "
                         f"found {packed.shape[1]}")
    if packed.size and (largest := int(packed.max())) >= _CODES:
        raise ModelError(f"packed trits: byte {largest} is not five base-3 digits (0 to {_CODES - 1})")


def unpack_trits(packed: np.ndarray, inputs: int) -> np.ndarray:
    """Inverse of `pack_trits`: int8 [out, inputs]. `ModelError` as `check_packed`."""
    check_packed(packed, inputs)
    return _TRITS_OF_CODE[packed].reshape(packed.shape[0], -1)[:, :inputs]
