"""A ternary copy of a head: trits and one int16 scale a row, by which a cheap product ranks the vocabulary.

A row w is approximated by g t, t its trits: the sign of each weight of at least a threshold's magnitude, zero below it.
With S the sum and n the number of magnitudes kept, the best g is S / n, and the squared error falls by S² / n: of all
thresholds the one with the largest S² / n is taken, the lowest of equals. The scales of all rows have one exponent, the
largest that fits, so that they and the scores compare as integers. Everything is a function of the head's integers:
sums are exact, and each division is rounded once, as IEEE 754 says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.machine.scalar_format import unpack_words

__all__ = ["TernaryHead", "ternary_head"]

_BLOCK_ROWS = 256  # counted at a time: what they need stays in a cache
_MAGNITUDES = 256  # of an int8, as bytes
_SCALE_BITS = 15
_SCALE_MAX = (1 << _SCALE_BITS) - 1


@dataclass(frozen=True)
class TernaryHead:
    """rows: int8 [vocab, dim], the head's own; thresholds: int8 [vocab], 1 .. 127; scales: int16 [vocab], 0 or more."""

    rows: np.ndarray
    thresholds: np.ndarray
    scales: np.ndarray

    def trits(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """int8 [stop - start, dim] in -1..1 of rows from `start` on, made anew at each call."""
        rows, thresholds = self.rows[start:stop], self.thresholds[start:stop, None]
        return (rows >= thresholds).view(np.int8) - (rows <= -thresholds).view(np.int8)


def ternary_head(rows: np.ndarray, scale_words: np.ndarray) -> TernaryHead:
    """The copy of a head. rows: int8 [vocab, dim]; scale_words: scalar words, uint32 [vocab]."""
    vocab = len(rows)
    thresholds, sums, kept = np.ones(vocab, np.int8), np.zeros(vocab, np.int64), np.zeros(vocab, np.int64)
    for start in range(0, vocab, _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        thresholds[block], sums[block], kept[block] = _best_thresholds(rows[block])
    mantissas, exponents = unpack_words(scale_words)
    # below 2**53 for 65,535 channels: the quotient is the nearest float64
    values = np.ldexp(sums * mantissas / np.maximum(kept, 1), exponents)
    _, exponent = np.frexp(values.max(initial=0.0))
    scales = np.minimum(np.rint(np.ldexp(values, _SCALE_BITS - exponent)), _SCALE_MAX).astype(np.int16)
    return TernaryHead(rows, thresholds, scales)


def _best_thresholds(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Threshold, sum and number of the magnitudes kept, of each of a few rows, int8 [rows, dim]."""
    count = len(rows)
    places = np.abs(rows).view(np.uint8) + _MAGNITUDES * np.arange(count)[:, None]  # |-128| is 128 as a byte
    counts = np.bincount(places.reshape(-1), minlength=count * _MAGNITUDES).reshape(count, _MAGNITUDES)
    # entry m - 1: of the magnitudes from m on
    kept = counts[:, :0:-1].cumsum(axis=1)[:, ::-1]
    sums = (counts * np.arange(_MAGNITUDES))[:, :0:-1].cumsum(axis=1)[:, ::-1]
    gains = sums[:, :127] ** 2 / np.maximum(kept[:, :127], 1)
    best = gains.argmax(axis=1)
    each = np.arange(count)
    return best + 1, sums[each, best], kept[each, best]
