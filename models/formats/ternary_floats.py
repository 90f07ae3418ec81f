"""Float weights that are ternary already: -s, 0 and s, with one s for a matrix or one for each 128 inputs of a row.

Such are weights that were dequantised for runtimes of floats: their values are taken as they are, for a mean of their
magnitudes would count the zeros.
"""

from __future__ import annotations

import numpy as np

from models.errors import ModelError
from models.formats.source import GroupedLinear
from models.ternary_groups import GROUP

__all__ = ["are_ternary", "grouped_of_floats", "ternary_of_floats"]


def are_ternary(values: np.ndarray, *, grouped: bool) -> bool:
    """Whether float32 [out, in] have one magnitude beside zero; grouped: each 128 inputs of a row one."""
    if grouped and values.shape[1] % GROUP:
        return False
    if len(values) > 1 and not are_ternary(values[:1], grouped=grouped):
        return False  # of masters no more is looked at
    magnitudes = np.abs(values.reshape(-1, GROUP) if grouped else values.reshape(1, -1))
    return bool(((magnitudes == magnitudes.max(axis=1, keepdims=True)) | (magnitudes == 0)).all())


def ternary_of_floats(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Trits and scale, 0 where all is zeros, of float32 [out, in] that are -s, 0 and s. `ModelError` for anything else.

    Converters write ternary weights as such floats; runtimes run floats as they are, so that others are not the masters
    of a ternary model but a model of another kind.
    """
    _check_finite(values)
    scale = np.abs(values).max(initial=0)
    if not are_ternary(values, grouped=False):
        raise ModelError(f"expected ternary weights, found floats of several magnitudes up to {scale:g}: which of them "
                         f"are meant is not said; convert the original checkpoint")
    return np.sign(values).astype(np.int8), float(scale)


def grouped_of_floats(values: np.ndarray) -> GroupedLinear:
    """The same by groups of 128 inputs. `ModelError` where one has several magnitudes."""
    _check_finite(values)
    if not are_ternary(values, grouped=True):
        raise ModelError(f"expected ternary weights with a scale for each {GROUP} inputs of a row, found floats of "
                         f"several magnitudes")
    scales = np.abs(values.reshape(len(values), -1, GROUP)).max(axis=2)
    return GroupedLinear(np.sign(values).astype(np.int8), scales)


def _check_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ModelError("expected finite numbers, found NaN or infinity")
