"""Tensor types of GGUF files that hold floats, or what stands for floats, as float32.

Ternary types are in `models.formats.gguf_blocks` and `models.formats.gguf_i2_s`.
"""

from __future__ import annotations

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

from models.errors import ModelError
from models.formats.gguf_blocks import TABLES, floats_of_blocks
from models.formats.gguf_file import type_name

__all__ = ["FLOATS", "float_rows"]

FLOATS = (GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16)

_STORED: dict[int, np.dtype] = {GGMLQuantizationType.F32: np.dtype("<f4"), GGMLQuantizationType.F16: np.dtype("<f2")}


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
