"""I2_S, bitnet.cpp's two-bit type, which does not say how it is laid out.

n / 4 bytes of codes (0, 1, 2 for -1, 0, 1), a float32 scale, 28 bytes of padding. A block of 4 w values lies in w
bytes: bits 6 and 7 of byte j hold value j, bits 4 and 5 w + j, bits 2 and 3 2w + j, bits 0 and 1 3w + j. There are
three widths, and nothing in a file names its own:

- 32: builds for x86, bitnet.cpp's Python converter, and the file that Microsoft publishes;
- 16: `llama-quantize` of builds for ARM;
- a whole row: builds for x86 without activation parallelism pack four rows together.

In a trained model a feed-forward neuron with many non-zero inputs (its row of `ffn_up`) has many non-zero outputs
(its column of `ffn_down`): over neurons the two densities correlate, 0.93 to 0.96 in the shipped model's layers.
Read with a wrong width they do not (0.15 to 0.34). `find_width` measures that.
"""

from __future__ import annotations

import math

import numpy as np

from models.errors import ModelError

__all__ = ["I2_S_WIDTH", "ROWS", "find_width", "i2_s_codes", "unpack_i2_s"]

I2_S_WIDTH = 32
"""Bytes of a block in the files one meets."""

ROWS = 0
"""Stands for a width of one row's inputs."""

_TAIL = 32
_SIGMAS = 8  # of the correlation of unrelated densities, by which the best width must lead


def unpack_i2_s(data: np.ndarray, shape: tuple[int, int], width: int = I2_S_WIDTH) -> tuple[np.ndarray, float]:
    """Trits, int8 [out, in], and the scale, 0 where all is zeros.

    data: uint8 [out * in / 4 + 32]. `ModelError` for the code 3, a bad scale, or a shape that is no whole number
    of blocks.
    """
    outputs, inputs = shape
    if outputs * inputs % (4 * width or 4 * inputs):  # blocks of bytes run on from row to row
        raise ModelError(f"expected whole blocks of {f'{4 * width} values' if width else 'four rows'}, "
                         f"found shape {list(shape)}")
    packed = i2_s_codes(data).reshape(-1, 1, width or inputs)
    if (packed & packed >> 1 & 0x55).any():
        raise ModelError("expected two-bit codes 0 to 2, found 3")
    scale = float(data[-_TAIL:][:4].view("<f4")[0])
    if not 0 <= scale < math.inf:
        raise ModelError(f"expected a positive scale, found {scale}")
    codes = packed >> np.array([6, 4, 2, 0], np.uint8)[:, None] & 3
    return codes.reshape(shape).astype(np.int8) - 1, scale


def i2_s_codes(data: np.ndarray) -> np.ndarray:
    """The bytes of a tensor that hold codes."""
    return data[:-_TAIL]


def find_width(up: np.ndarray, down: np.ndarray, hidden: int, ffn: int) -> int | None:
    """The width of a model's I2_S tensors, judged by one layer; None where the weights do not tell.

    up, down: bytes of `ffn_up`, [ffn, hidden], and `ffn_down`, [hidden, ffn].
    """
    agreement = {}
    for width in (I2_S_WIDTH, 16, ROWS):
        try:
            rows = (unpack_i2_s(up, (ffn, hidden), width)[0] != 0).mean(axis=1)
            columns = (unpack_i2_s(down, (hidden, ffn), width)[0] != 0).mean(axis=0)
        except ModelError:
            continue
        deviation = rows.std() * columns.std()
        covariance = ((rows - rows.mean()) * (columns - columns.mean())).mean()
        agreement[width] = abs(covariance / deviation) if deviation > 0 else 0.0
    best, second, *_ = sorted([0.0, 0.0, *agreement.values()], reverse=True)
    if best - second <= _SIGMAS / math.sqrt(ffn):
        return None
    return max(agreement, key=agreement.__getitem__)
