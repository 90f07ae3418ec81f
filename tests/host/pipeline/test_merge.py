"""Two taps in one have the bits of one after the other, and what has not is refused."""

from dataclasses import replace

import numpy as np
import pytest

from host.pipeline.merge import merged
from models.golden.closed_loop import ClosedLoop
from models.golden.scalar import Scalar
from models.golden.tap import NO_CLIP, neutral_tap, tap

DIM = 24


def random_tap(random, fields, *, only=slice(None)):
    """A tap that does something in `fields`, in some channels, with exponents of its own."""
    draw = {"gain": lambda: random.integers(-32768, 32768, DIM).astype(np.int16),
            "add": lambda: random.integers(-32767, 32768, DIM).astype(np.int16),
            "clip": lambda: random.integers(0, 65536, DIM).astype(np.uint16),
            "threshold": lambda: random.integers(0, 65536, DIM).astype(np.uint16)}
    result = neutral_tap(DIM)
    for name in fields:
        values = getattr(result, name).copy()
        values[only] = draw[name]()[only]
        result = replace(result, **{name: values})
    return replace(result, **{f"{name}_exponent": int(random.integers(-3, 4)) for name in ("add", "clip", "threshold")
                              if name in fields})


def both_ways(first, second, random):
    """Rows by the merged tap and by one after the other."""
    together = merged(first, second)
    x = random.integers(-2**20, 2**20, (200, DIM)) << random.integers(0, 18, (200, 1))
    rho = Scalar(random.integers(1 << 23, 1 << 24, 200), random.integers(-4, 20, 200))
    return tap(x, together, rho), tap(tap(x, first, rho), second, rho)


@pytest.mark.parametrize("first, second", [
    ((), ("gain", "add", "clip", "threshold")), (("gain", "add", "clip", "threshold"), ()), (("gain",), ("threshold",)),
    (("gain", "add"), ("clip", "threshold")), (("clip",), ("threshold",)), (("add", "clip"), ("threshold",))])
@pytest.mark.parametrize("seed", range(4))
def test_what_follows_in_the_order_of_a_tap_merges(first, second, seed):
    random = np.random.default_rng(seed)
    one, other = both_ways(random_tap(random, first), random_tap(random, second), random)
    assert (one == other).all()


@pytest.mark.parametrize("first, second", [
    (("clip",), ("gain",)), (("clip",), ("add",)), (("threshold",), ("gain",)), (("threshold",), ("add",)),
    (("threshold",), ("clip",)), (("gain",), ("gain",)), (("add",), ("add",)), (("gain",), ("add",)),
    (("add",), ("gain",))])
def test_what_would_stand_before_it_does_not(first, second):
    random = np.random.default_rng(1)
    taps = random_tap(random, first), random_tap(random, second)
    assert merged(*taps) is None
    apart = random_tap(random, first, only=slice(0, 8)), random_tap(random, second, only=slice(8, None))
    one, other = both_ways(*apart, random)  # in other channels it does no harm
    assert (one == other).all()


@pytest.mark.parametrize("name", ["clip", "threshold"])
def test_of_two_clips_the_lower_of_two_thresholds_the_higher(name):
    random = np.random.default_rng(2)
    merges = 0
    for difference in range(-6, 7):
        first, second = (replace(random_tap(random, [name]), **{f"{name}_exponent": exponent})
                         for exponent in (0, difference))
        small = {f"{name}": (getattr(first if difference < 0 else second, name) >> 8).astype(np.uint16)}
        if difference < 0:
            first = replace(first, **small)
        else:
            second = replace(second, **small)
        if merged(first, second) is not None:
            one, other = both_ways(first, second, random)
            assert (one == other).all()
            merges += 1
    assert merges == 13


def test_exponents_too_far_apart_do_not_merge():
    first = replace(neutral_tap(DIM), threshold=np.full(DIM, 65535, np.uint16), threshold_exponent=-1)
    assert merged(first, replace(first, threshold_exponent=0)) is None
    assert merged(first, replace(first, threshold_exponent=20)) is None
    even = replace(first, threshold=np.full(DIM, 65534, np.uint16))
    assert merged(even, replace(first, threshold_exponent=0)) is not None


def test_no_clip_stays_none_beside_one():
    first = replace(neutral_tap(DIM), clip=np.r_[np.full(12, NO_CLIP), np.full(12, 40)].astype(np.uint16))
    second = replace(neutral_tap(DIM), clip=np.r_[np.full(6, NO_CLIP), np.full(18, 4)].astype(np.uint16),
                     clip_exponent=2)
    together = merged(first, second)
    values = np.where(together.clip == NO_CLIP, np.inf, together.clip * 2.0**together.clip_exponent)
    assert values.tolist() == [np.inf] * 6 + [16] * 18


def test_a_closed_loop_is_alone():
    loop = ClosedLoop.of(np.ones(DIM), np.ones(DIM), -20, 5)
    assert merged(loop, neutral_tap(DIM)) is None and merged(neutral_tap(DIM), loop) is None
