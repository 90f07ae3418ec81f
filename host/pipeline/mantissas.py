"""Float parameters as a tap's integers: 16-bit mantissas with one exponent."""

from __future__ import annotations

import numpy as np

from models.errors import ArtefactError

__all__ = ["check_magnitudes", "to_mantissas"]

_MAGNITUDE = 60  # powers of two either way: within a tap's exponents, whatever its mantissas
_NOTHING = 2.0**-80  # rounds to 0 at a tap's least exponent


def check_magnitudes(name: str, largest: np.ndarray, strength: float) -> None:
    """`ArtefactError` unless a tap can hold the tensor `name` times strength.

    largest: float64, of what shares an exponent the largest magnitude.
    """
    if not np.isfinite(strength):
        raise ArtefactError(f"tensor {name}: its strength must be finite, got {strength}")
    factors = {"": 1.0} | ({f" times {strength}": abs(strength)} if strength else {})
    for times, factor in factors.items():
        with np.errstate(over="ignore", under="ignore"):
            values = largest[largest > 0] * factor
        wrong = values[(values < 2.0**-_MAGNITUDE) | (values > 2.0**_MAGNITUDE)]
        if wrong.size:
            raise ArtefactError(f"tensor {name}{times}: expected magnitudes of 0, or 2**-{_MAGNITUDE} to "
                                f"2**{_MAGNITUDE}, found {wrong[0]}")


def to_mantissas(values: np.ndarray, limit: int) -> tuple[np.ndarray, int]:
    """Integers within ±limit and the exponent e such that values ~ integers * 2**e; e in -63 .. 63."""
    largest = float(np.abs(values).max())
    if largest < _NOTHING:
        return np.zeros(values.shape, np.int64), 0
    exponent = int(np.ceil(np.log2(largest / limit)))
    exponent = int(np.clip(exponent, -63, 63))
    return np.clip(np.rint(np.ldexp(values, -exponent)), -limit, limit).astype(np.int64), exponent
