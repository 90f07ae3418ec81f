"""Tensor types of GGUF files that hold floats: as floats, and as trits where they are ternary already.

Ternary types are in `models.formats.gguf_blocks` and `models.formats.gguf_i2_s`.
"""

from __future__ import annotations

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

from models.errors import ModelError
from models.formats.gguf_blocks import TABLES, floats_of_blocks
from models.formats.gguf_file import type_name

__all__ = ["FLOATS", "float_rows", "ternary_of_floats"]

FLOATS = (GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16)

_STORED: dict[int, np.dtype] = {GGMLQuantizationType.F32: np.dtype("<f4"), GGMLQuantizationType.F16: np.dtype("<f2")}


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
    """Rows of `width` values, float32 [n, width], of any type the `gguf` package dequantises, or of `TABLES`.

    data: uint8, whole rows. `ModelError` for a type it does not know.
    """
    if number in TABLES:
        return floats_of_blocks(data, number, width)
    try:
        kind = GGMLQuantizationType(number)
    except ValueError:
        raise ModelError(f"expected a floating-point type, found {type_name(number)}") from None
    if kind in _STORED:
        return data.view(_STORED[kind]).reshape(-1, width).astype(np.float32)
    block, size = GGML_QUANT_SIZES[kind]
    try:
        return dequantize(data.reshape(-1, width // block * size), kind).reshape(-1, width)
    except NotImplementedError:
        raise ModelError(f"expected a floating-point type, found {kind.name}") from None
