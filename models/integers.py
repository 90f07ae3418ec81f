"""From floating-point parameters to the machine's integers: gains, embedding rows, head rows, scalar words.

All roundings are half to even, done in float64, where every product and quotient below is exact enough to
fall on the right side of a tie; so the integers do not depend on the platform. docs/numerics.md.
"""

from __future__ import annotations

import numpy as np

from models.errors import ModelError
from models.machine.scalar_format import MANTISSA_BITS, pack_words

__all__ = ["EXPONENT_LIMIT", "HEAD_LEVELS", "embedding_rows", "gain_vector", "head_of_embedding", "head_rows",
           "scalar_words"]

EXPONENT_LIMIT = 100  # of gains and embedding rows, either sign
HEAD_LEVELS = 127
_INT16_MAX = 32767
_WORD_EXPONENTS = (-128, 127)
_BLOCK = 256  # rows converted at a time, few enough for a cache


def scalar_words(values: np.ndarray) -> np.ndarray:
    """Memory words, uint32, of the scalars nearest to float64 values >= 0; 0 becomes word 0.

    `ModelError` for a value that is negative, not finite or outside 2**-128 .. 2**128.
    """
    values = np.asarray(values, np.float64)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ModelError("a scale must be a finite number, not negative")
    fraction, exponent = np.frexp(values)
    m = np.rint(np.ldexp(fraction, MANTISSA_BITS)).astype(np.int64)
    e = exponent.astype(np.int64) - 1
    carried = m == 1 << MANTISSA_BITS
    m, e = np.where(carried, m >> 1, m), e + carried
    low, high = _WORD_EXPONENTS
    if ((m > 0) & ((e < low) | (e > high))).any():
        raise ModelError(f"a scale lies outside 2**{low} to 2**{high + 1}")
    return pack_words(m, e)


def _int16_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float [n, dim] to int16 mantissas and exponents: m * 2**-e, the largest e with |m| <= 32767."""
    rows = np.asarray(rows, np.float64)
    largest = np.abs(rows).max(axis=-1)
    if not np.isfinite(largest).all():
        raise ModelError("expected finite numbers, found NaN or infinity")
    fraction, exponent = np.frexp(largest)
    e = 15 - exponent.astype(np.int64) - (np.rint(np.ldexp(fraction, 15)) > _INT16_MAX)
    e = np.where(largest == 0, 0, np.clip(e, -EXPONENT_LIMIT, EXPONENT_LIMIT))
    m = np.rint(rows * np.ldexp(1.0, e.astype(np.int32))[..., None])  # powers of two: the product is exact
    if np.abs(m).max(initial=0) > _INT16_MAX:
        raise ModelError(f"expected numbers below 2**{15 + EXPONENT_LIMIT}, found {largest.max():.3g}")
    return m.astype(np.int16), e


def gain_vector(gains: np.ndarray) -> tuple[np.ndarray, int]:
    """float gains [dim] to (int16 mantissas [dim], exponent e): value m * 2**-e.

    Each errs by at most 2**-15 of the largest. e is within ±EXPONENT_LIMIT, and 0 for a vector of zeros.
    """
    m, e = _int16_rows(np.asarray(gains)[None])
    return m[0], int(e[0])


def embedding_rows(embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float [vocab, hidden] to (int16 [vocab, hidden], int8 exponents [vocab]): value m * 2**-e, as gains."""
    mantissas = np.empty(embedding.shape, np.int16)
    exponents = np.empty(embedding.shape[0], np.int8)
    for start in range(0, embedding.shape[0], _BLOCK):
        block = slice(start, start + _BLOCK)
        mantissas[block], exponents[block] = _int16_rows(embedding[block])
    return mantissas, exponents


def head_rows(head: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float [vocab, hidden] to (int8 [vocab, hidden], scale words, uint32 [vocab]).

    scale = max|row| / 127, q = round(row / scale); a row of zeros gets zeros and scale zero.
    """
    rows = np.empty(head.shape, np.int8)
    scales = np.empty(head.shape[0], np.float64)
    for start in range(0, head.shape[0], _BLOCK):
        block = slice(start, start + _BLOCK)
        rows[block], scales[block] = _int8_rows(head[block])
    return rows, scalar_words(scales)


def head_of_embedding(mantissas: np.ndarray, exponents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The head of a tied model: `head_rows` of the very values that the int16 embedding rows have.

    mantissas: int16 [vocab, hidden], exponents: int8 [vocab]. The exponent cancels in the int8 values.
    """
    rows = np.empty(mantissas.shape, np.int8)
    scales = np.empty(mantissas.shape[0], np.float64)
    for start in range(0, mantissas.shape[0], _BLOCK):
        block = slice(start, start + _BLOCK)
        rows[block], scales[block] = _int8_rows(mantissas[block])
    return rows, scalar_words(np.ldexp(scales, -exponents.astype(np.int32)))


def _int8_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.asarray(rows, np.float64)
    largest = np.abs(rows).max(axis=-1)
    if not np.isfinite(largest).all():
        raise ModelError("expected finite numbers, found NaN or infinity")
    divisor = np.where(largest == 0, 1, largest)
    return np.rint(rows * HEAD_LEVELS / divisor[:, None]).astype(np.int8), largest / HEAD_LEVELS
