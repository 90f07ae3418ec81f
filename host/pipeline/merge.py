"""Two taps in one, where that gives the bits of one after the other.

A tap is gain and add, then clip, then threshold. Channel by channel, what comes second must not stand before what came
first: behind a clip or a threshold no gain or add, behind a threshold no clip. Two gains or adds would round twice, so
they do not merge; two clips are the lower, two thresholds the higher. A closed loop is alone in its tap.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.golden.closed_loop import ClosedLoop
from models.golden.tap import GAIN_ONE, NO_CLIP, Tap

__all__ = ["merged"]

_NOTHING = {"add": 0, "clip": NO_CLIP, "threshold": 0}
_LARGEST = {"add": 32767, "clip": NO_CLIP - 1, "threshold": 65535}


def merged(first: Tap, second: Tap) -> Tap | None:
    """The tap that does what `first` and then `second` do, bit for bit; None: there is none."""
    if isinstance(first, ClosedLoop) or isinstance(second, ClosedLoop):
        return None
    moves = (first.gain != GAIN_ONE) | (first.add != 0)
    clips, masks = first.clip != NO_CLIP, first.threshold != 0
    then_moves = (second.gain != GAIN_ONE) | (second.add != 0)
    if (then_moves & (moves | clips | masks)).any() or ((second.clip != NO_CLIP) & masks).any():
        return None
    fields: dict[str, np.ndarray | int] = {}
    for name in _NOTHING:
        both = _field(name, first, second)
        if both is None:
            return None
        fields[name], fields[f"{name}_exponent"] = both
    return replace(first, gain=np.where(then_moves, second.gain, first.gain), **fields)


def _field(name: str, first: Tap, second: Tap) -> tuple[np.ndarray, int] | None:
    """Mantissas and exponent of a field of both; None where no one exponent serves."""
    nothing, a, b = _NOTHING[name], getattr(first, name), getattr(second, name)
    exponents = getattr(first, f"{name}_exponent"), getattr(second, f"{name}_exponent")
    if (b == nothing).all():
        return a, exponents[0]
    if (a == nothing).all():
        return b, exponents[1]
    for exponent in dict.fromkeys(sorted(exponents, reverse=True)):  # with the higher one, low bits must be zeros
        one, other = (_at(part, old - exponent, nothing, _LARGEST[name])
                      for part, old in zip((a, b), exponents, strict=True))
        if one is not None and other is not None:
            least = {"add": np.where(one == 0, other, one), "clip": np.minimum(one, other),
                     "threshold": np.maximum(one, other)}[name]
            return least.astype(a.dtype), exponent
    return None


def _at(mantissas: np.ndarray, up: int, nothing: int, largest: int) -> np.ndarray | None:
    """int64 mantissas times 2**up, which must be integers that fit; those that are `nothing` stay."""
    wide = mantissas.astype(np.int64)
    if abs(up) > 16:
        return None
    moved = wide << up if up >= 0 else wide >> -up
    exact = (moved << -up if up < 0 else moved) == (wide if up < 0 else moved)
    good = (exact & (np.abs(moved) <= largest)) | (wide == nothing)
    return np.where(wide == nothing, wide, moved) if good.all() else None
