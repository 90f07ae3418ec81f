"""Random taps for the tests of the vector engine, as the golden model and as the hardware take them."""

from __future__ import annotations

import numpy as np

from models.golden.tap import NO_CLIP, Tap
from models.machine.descriptor import LoadTarget
from tests.hw.memory.loads import load_words

__all__ = ["exponents", "loads", "random_tap", "tap_bytes", "words"]


def random_tap(rng: np.random.Generator, dim: int, *, clip_exponent: int = -14, threshold_exponent: int = -17,
               add_exponent: int = -12) -> Tap:
    """All fields at random; a third of the channels has no clip, half has no threshold, some pass unchanged."""
    clip = np.where(rng.random(dim) < 0.3, NO_CLIP, rng.integers(0, 1 << 16, dim))
    threshold = np.where(rng.random(dim) < 0.5, 0, rng.integers(0, 1 << 16, dim))
    gain = np.where(rng.random(dim) < 0.2, 1 << 13, rng.integers(-(1 << 15), 1 << 15, dim))
    return Tap(gain=gain.astype(np.int16), add=rng.integers(-(1 << 15), 1 << 15, dim).astype(np.int16),
               clip=clip.astype(np.uint16), threshold=threshold.astype(np.uint16), add_exponent=add_exponent,
               clip_exponent=clip_exponent, threshold_exponent=threshold_exponent)


def words(tap: Tap) -> list[dict[str, int]]:
    """One channel's parameters each."""
    fields = ("gain", "add", "clip", "threshold")
    return [{field: int(getattr(tap, field)[n]) for field in fields} for n in range(tap.gain.size)]


def exponents(tap: Tap | None) -> dict[str, int]:
    """The shared exponents; zeros without a tap."""
    fields = ("add", "clip", "threshold")
    return {field: getattr(tap, f"{field}_exponent") if tap is not None else 0 for field in fields}


def loads(target: LoadTarget, content: bytes) -> list[dict[str, int]]:
    """The words of a LOAD from channel 0 on."""
    return load_words(target, 0, content)


def tap_bytes(tap: Tap) -> bytes:
    """The parameters as they lie in DRAM."""
    fields = (tap.gain, tap.add, tap.clip, tap.threshold)
    return np.stack([field.astype(np.uint16) for field in fields], axis=-1).astype("<u2").tobytes()
