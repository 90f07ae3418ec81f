"""Ternary types of GGUF files: blocks of a row's weights, each with its scale d, fp16.

Layouts, as their quantisers write them:

- TQ1_0, 256 weights in 54 bytes: qs[48], qh[4], d. qs[0..31] holds weights 32 n + j, qs[32..47] 160 + 16 n + j, qh
  240 + 4 n + j, where n is the digit, the most significant first; a byte is the five digits' number v stored as
  ceil(256 v / 243), of four digits with a zero behind them.
- PTQ1_0, 128 weights in 28 bytes: qs[24], qh[2], d. The same with qs[0..15] for 16 n + j, qs[16..23] for 80 + 8 n + j,
  qh for 120 + 2 n + j, as several readers of such files have it.
- TQ2_0, 256 weights in 66 bytes: qs[64], d. Bits 2l, 2l + 1 of byte 32 g + m hold weight 128 g + 32 l + m.
- Q2_0 and PQ2_0: d, then four weights a byte, the lowest bits first: 64 weights in 18 bytes, or 128 in 34.

Codes 0, 1, 2 stand for -d, 0, d. In Q2_0 and PQ2_0 the code 3 stands for 2 d, which is not ternary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from gguf.constants import GGMLQuantizationType

from models.errors import ModelError
from models.formats.gguf_file import PQ2_0, PTQ1_0, Q2_0, Q2_0_128, GgufFile
from models.formats.source import GroupedLinear
from models.ternary_groups import GROUP

__all__ = ["BLOCKS", "TABLES", "Blocks", "floats_of_blocks", "grouped_of_blocks", "several_scales",
           "ternary_of_blocks", "uniform"]


class Blocks(NamedTuple):
    """A type: weights and bytes of a block, where its d lies, and what makes trits, int8 [n, weights], of its codes."""

    weights: int
    size: int
    scale: int
    trits: Callable[[np.ndarray], np.ndarray]

    def split(self, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Trits, int8 [n, weights], and scales, float32 [n], of whole blocks, uint8. `ModelError` for other codes."""
        blocks = data.reshape(-1, self.size)
        codes = blocks[:, 2:] if self.scale == 0 else blocks[:, :-2]
        return self.trits(codes), self.scales(data)

    def scales(self, data: np.ndarray) -> np.ndarray:
        """float32 [n]."""
        stored = data.reshape(-1, self.size)[:, self.scale:self.scale + 2]
        return np.ascontiguousarray(stored).view("<f2").reshape(-1).astype(np.float32)


def _digits_of_byte() -> tuple[np.ndarray, np.ndarray]:
    """int8 [256, 5]: the trits of a TQ1_0 byte, first digit first; bool [256]: is it one that a quantiser writes?"""
    numbers = np.arange(243)
    written = (numbers * 256 + 242) // 243
    digits, known = np.zeros((256, 5), np.int8), np.zeros(256, bool)
    digits[written] = numbers[:, None] // [81, 27, 9, 3, 1] % 3 - 1
    known[written] = True
    return digits, known


_DIGITS, _KNOWN = _digits_of_byte()
_FOUR = _KNOWN & (_DIGITS[:, 4] == -1)  # a digit of zero behind four


def _base_3(parts: tuple[tuple[int, int, int], ...]) -> Callable[[np.ndarray], np.ndarray]:
    """parts: first and last byte, and digits a byte."""
    def trits(codes: np.ndarray) -> np.ndarray:
        if not all((_KNOWN if digits == 5 else _FOUR)[codes[:, first:last]].all() for first, last, digits in parts):
            raise ModelError("expected bytes of five base-3 digits, found others")
        return np.concatenate([_DIGITS[codes[:, first:last]].swapaxes(1, 2)[:, :digits].reshape(len(codes), -1)
                               for first, last, digits in parts], axis=1)
    return trits


def _tq2_0(codes: np.ndarray) -> np.ndarray:
    return _ternary(codes.reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3, len(codes), "")


def _q2_0(codes: np.ndarray) -> np.ndarray:
    return _ternary(codes[:, :, None] >> np.array([0, 2, 4, 6], np.uint8) & 3, len(codes),
                    ", which stands for twice the scale and is not ternary")


def _ternary(codes: np.ndarray, count: int, meaning: str) -> np.ndarray:
    if codes.max(initial=0) > 2:
        raise ModelError(f"expected two-bit codes 0 to 2, found 3{meaning}")
    return codes.reshape(count, -1).astype(np.int8) - np.int8(1)


TABLES = (Q2_0, Q2_0_128, PQ2_0, PTQ1_0)
"""Types of which embeddings and heads stay ternary."""

BLOCKS: dict[int, Blocks] = {
    GGMLQuantizationType.TQ1_0: Blocks(256, 54, 52, _base_3(((0, 32, 5), (32, 48, 5), (48, 52, 4)))),
    GGMLQuantizationType.TQ2_0: Blocks(256, 66, 64, _tq2_0),
    Q2_0: Blocks(64, 18, 0, _q2_0), Q2_0_128: Blocks(128, 34, 0, _q2_0), PQ2_0: Blocks(128, 34, 0, _q2_0),
    PTQ1_0: Blocks(128, 28, 26, _base_3(((0, 16, 5), (16, 24, 5), (24, 26, 4))))}
"""By number."""


def uniform(data: np.ndarray, number: int) -> bool:
    """Whether a tensor's blocks have one scale, but for those that have none."""
    scales = BLOCKS[number].scales(data)
    used = scales[scales != 0]
    return not len(used) or bool((used == used[0]).all())


def several_scales(file: GgufFile, prefix: str) -> bool:
    """Whether a tensor whose name begins so has blocks of several scales."""
    names = [name for name in file if name.startswith(prefix) and file[name].type in BLOCKS]
    found = any(not uniform(file.stored(name), file[name].type) for name in names)
    file.release()
    return found


def ternary_of_blocks(data: np.ndarray, number: int, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Trits, int8 [out, in], and the scale of a tensor, 0 where all is zeros.

    data: its bytes, uint8. `ModelError` where its blocks differ in scale, or one has none. A block of zeros says
    nothing about the scale.
    """
    trits, scales = BLOCKS[number].split(data)
    used = scales[trits.any(axis=1)]
    if np.isfinite(scales).all() and not used.any():
        return trits.reshape(shape), 0.0
    _check_scales(scales, used)
    low, high = used.min(), used.max()
    if low != high:
        raise ModelError(f"expected one scale for all of its blocks, found {low:g} to {high:g}: the tensor was not "
                         f"ternary when it was quantised")
    return trits.reshape(shape), float(low)


def floats_of_blocks(data: np.ndarray, number: int, width: int) -> np.ndarray:
    """Rows of `width` values, float32 [n, width]."""
    trits, scales = BLOCKS[number].split(data)
    return (trits * scales[:, None]).reshape(-1, width)


def grouped_of_blocks(data: np.ndarray, number: int, shape: tuple[int, int]) -> GroupedLinear:
    """A tensor, or rows of it, whose blocks differ in scale.

    data: its bytes, uint8. `ModelError` where a block with weights has no positive scale, or the halves of 128 inputs
    have two. A block of zeros has a scale of 0.
    """
    kind = BLOCKS[number]
    if shape[1] % GROUP:
        raise ModelError(f"expected whole groups of {GROUP} inputs, which share a scale, found {shape[1]} inputs")
    trits, scales = kind.split(data)
    some = trits.any(axis=1)
    _check_scales(scales, scales[some])
    scales = np.where(some, scales, np.float32(0))
    if kind.weights < GROUP:
        halves = scales.reshape(-1, GROUP // kind.weights)
        scales = halves.max(axis=1)
        if (other := (halves != scales[:, None]) & (halves != 0)).any():
            raise ModelError(f"expected one scale for {GROUP} inputs of a row, found {halves[other][0]:g} and "
                             f"{scales[other.any(axis=1)][0]:g}")
    else:
        scales = np.repeat(scales, kind.weights // GROUP)
    return GroupedLinear(trits.reshape(shape), scales.reshape(shape[0], -1))


def _check_scales(scales: np.ndarray, used: np.ndarray) -> None:
    if not np.isfinite(scales).all() or not (used > 0).all():
        bad = scales[~np.isfinite(scales)] if not np.isfinite(scales).all() else used[used <= 0]
        raise ModelError(f"expected blocks with positive scales, found {bad[0]:g}")
