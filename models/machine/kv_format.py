"""Number formats of cached keys and values: one table for compiler, emulator, runtime and RTL.

A width is a row of `KV_FORMATS`, and what differs in kind: docs/numerics.md, section 6, says which files that is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["KV_FORMATS", "QUERY_FORMAT", "KVFormat", "kv_format"]

_OUTPUT_BITS = 24 - 4  # of an output of attention below its unit, for values of magnitude 1


@dataclass(frozen=True)
class KVFormat:
    """Two's complement elements of `bits`, one after another; docs/numerics.md, sections 6 and 7."""

    bits: int

    @property
    def limit(self) -> int:
        """The largest level; the smallest is its negative."""
        return (1 << (self.bits - 1)) - 1

    def bytes_of(self, elements: int) -> int:
        """Bytes that so many elements take."""
        return elements * self.bits // 8

    def elements_in(self, size: int) -> int:
        """Elements of so many bytes."""
        return size * 8 // self.bits

    def stored(self, levels: np.ndarray) -> np.ndarray:
        """Integers [..., n] within the limit as they lie in memory: uint8 [..., bytes_of(n)]."""
        return np.ascontiguousarray(levels, self._dtype).view(np.uint8)

    def levels(self, stored: np.ndarray) -> np.ndarray:
        """What `stored` made uint8 [..., bytes_of(n)] of: integers [..., n]."""
        return stored.view(self._dtype)

    @property
    def _dtype(self) -> np.dtype:
        return np.dtype(f"<i{self.bits // 8}")

    @property
    def output_fraction(self) -> int:
        """Fraction bits of an output of attention, in units of its group's largest value scale."""
        return _OUTPUT_BITS - (self.bits - 1)

    @property
    def dropped_bits(self) -> int:
        """Bits by which sums of weighted values are rounded before they meet the reciprocal of the weights' sum: a
        quarter of an output unit at most, and the product with a mantissa stays in 63 bits."""
        return self.bits - 3


KV_FORMATS = {kv.bits: kv for kv in (KVFormat(8), KVFormat(16))}
"""By width, as builds name them (`BuildParameters.kv_bits`)."""

QUERY_FORMAT = KV_FORMATS[16]
"""Of queries, which stay on chip."""


def kv_format(bits: int) -> KVFormat:
    """The format of a width; `ValueError` for one that there is not."""
    if bits not in KV_FORMATS:
        raise ValueError(f"kv_bits must be {' or '.join(map(str, KV_FORMATS))}, got {bits}")
    return KV_FORMATS[bits]
