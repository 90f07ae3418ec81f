"""Tensor types of GGUF files: the ternary ones to trits and a scale, all others to floats.

Layouts, as llama.cpp's quantisers write them, a block being 256 values of a row with their scale d (fp16):

- TQ1_0, 54 bytes: qs[48], qh[4], d. qs[0..31] holds values 32 n + j, qs[32..47] 160 + 16 n + j, qh 240 + 4 n + j,
  where n is the digit, the most significant first; a byte is the five digits' number v stored as ceil(256 v / 243).
- TQ2_0, 66 bytes: qs[64], d. Bits 2l, 2l + 1 of byte 32 g + m hold value 128 g + 32 l + m.

Codes 0, 1, 2 stand for -d, 0, d. I2_S is in `models.formats.gguf_i2_s`.
"""

from __future__ import annotations

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

from models.errors import ModelError

__all__ = ["FLOATS", "TERNARY", "float_rows", "ternary_of_blocks", "ternary_of_floats", "unpack_tq1_0", "unpack_tq2_0"]

TERNARY = (GGMLQuantizationType.TQ1_0, GGMLQuantizationType.TQ2_0)
FLOATS = (GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16)

_STORED: dict[int, np.dtype] = {GGMLQuantizationType.F32: np.dtype("<f4"), GGMLQuantizationType.F16: np.dtype("<f2")}


def _digits_of_byte() -> tuple[np.ndarray, np.ndarray]:
    """int8 [256, 5]: the trits of a TQ1_0 byte, first digit first; bool [256]: is it one that a quantiser writes?"""
    numbers = np.arange(243)
    written = (numbers * 256 + 242) // 243
    digits, known = np.zeros((256, 5), np.int8), np.zeros(256, bool)
    digits[written] = numbers[:, None] // [81, 27, 9, 3, 1] % 3 - 1
    known[written] = True
    return digits, known


_DIGITS, _KNOWN = _digits_of_byte()


def unpack_tq1_0(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """blocks: uint8 [n, 54]. Returns trits, int8 [n, 256], and d, float32 [n]. `ModelError` for bytes never written."""
    codes = blocks[:, :52]
    if not _KNOWN[codes].all():
        raise ModelError("expected bytes of five base-3 digits, found others")
    count = len(blocks)
    parts = [_DIGITS[codes[:, first:last]].swapaxes(1, 2)[:, :digits].reshape(count, -1)
             for first, last, digits in ((0, 32, 5), (32, 48, 5), (48, 52, 4))]
    return np.concatenate(parts, axis=1), _scales(blocks[:, 52:])


def unpack_tq2_0(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """blocks: uint8 [n, 66]. Returns trits, int8 [n, 256], and d, float32 [n]. `ModelError` for the code 3."""
    codes = blocks[:, :64].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
    if codes.max(initial=0) > 2:
        raise ModelError("expected two-bit codes 0 to 2, found 3")
    return codes.reshape(len(blocks), 256).astype(np.int8) - 1, _scales(blocks[:, 64:])


def _scales(stored: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(stored).view("<f2").reshape(-1).astype(np.float32)


def ternary_of_blocks(data: np.ndarray, number: int, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Trits, int8 [out, in], and the scale of a TQ1_0 or TQ2_0 tensor, 0 where all is zeros.

    data: its bytes, uint8. `ModelError` where its blocks differ in scale, or one has none: it was not ternary
    before it was quantised. A block of zeros says nothing about the scale.
    """
    kind = GGMLQuantizationType(number)
    blocks = data.reshape(-1, GGML_QUANT_SIZES[kind][1])
    trits, scales = (unpack_tq1_0 if kind == GGMLQuantizationType.TQ1_0 else unpack_tq2_0)(blocks)
    used = scales[trits.any(axis=1)]
    if np.isfinite(scales).all() and not used.any():
        return trits.reshape(shape), 0.0
    low, high = used.min(initial=np.inf), used.max(initial=-np.inf)
    if not np.isfinite(scales).all() or not 0 < low <= high:
        raise ModelError(f"expected blocks with positive scales, found {_found(scales)}")
    if low != high:
        raise ModelError(f"expected one scale for all of its blocks, found {low:g} to {high:g}: the tensor was not "
                         f"ternary when it was quantised")
    return trits.reshape(shape), float(low)


def _found(scales: np.ndarray) -> str:
    bad = scales[~(np.isfinite(scales) & (scales > 0))]
    return f"{bad[0]:g}"


def ternary_of_floats(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Trits and scale, 0 where all is zeros, of float32 [out, in] that are -s, 0 and s. `ModelError` for anything else.

    Converters write ternary weights as such floats; llama.cpp runs floats as they are, so that others are not the
    masters of a ternary model but a model of another kind.
    """
    if not np.isfinite(values).all():
        raise ModelError("expected finite numbers, found NaN or infinity")
    magnitudes = np.abs(values)
    scale = magnitudes.max(initial=0)
    if not ((magnitudes == scale) | (magnitudes == 0)).all():
        raise ModelError(f"expected ternary weights, found floats of several magnitudes up to {scale:g}: which of them "
                         f"are meant is not said; convert the original checkpoint")
    return np.sign(values).astype(np.int8), float(scale)


def float_rows(data: np.ndarray, number: int, width: int) -> np.ndarray:
    """Rows of `width` values, float32 [n, width], of any type the `gguf` package dequantises.

    data: uint8, whole rows. `ModelError` for a type it does not know.
    """
    try:
        kind = GGMLQuantizationType(number)
    except ValueError:
        raise ModelError(f"expected a floating-point type, found type {number}") from None
    if kind in _STORED:
        return data.view(_STORED[kind]).reshape(-1, width).astype(np.float32)
    block, size = GGML_QUANT_SIZES[kind]
    try:
        return dequantize(data.reshape(-1, width // block * size), kind).reshape(-1, width)
    except NotImplementedError:
        raise ModelError(f"expected a floating-point type, found {kind.name}") from None
