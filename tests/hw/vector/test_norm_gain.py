"""NormGain: exact products, what golden `gained` and `round_shift` make of them, and squares."""

from __future__ import annotations

import numpy as np
import pytest

from hw.boards.technology import ECP5, SERIES_7, ULTRASCALE_PLUS
from hw.vector.norm_gain import SIZE_BITS, UP_MAX, NormGain
from models.golden.norm_quant import gained
from models.golden.rounding import round_shift
from models.machine.descriptor import LoadTarget
from tests.hw.stream_table import Case, check
from tests.hw.vector.shared_units import WithSharedUnits
from tests.hw.vector.taps import loads


def _channels(rng: np.random.Generator, bits: int, k: int) -> np.ndarray:
    """Of up to `bits` bits: random ones, ties of both results, the largest."""
    limit = (1 << bits) - 1
    x = rng.integers(-limit, limit + 1, 64) >> rng.integers(0, bits, 64)
    half = 1 << max(k - 1, 0)
    x[:24] = np.clip(rng.integers(-limit, limit + 1, 24) // half | 1, -(limit // half), limit // half) * half
    x[24:28] = limit, -limit, 0, 1
    return x


def _case(k: int, with_gains: bool, lanes: int) -> Case:
    rng = np.random.default_rng([k, with_gains])
    x, up = _channels(rng, SIZE_BITS - UP_MAX + k, k), UP_MAX - k
    gains = rng.integers(-(1 << 15), 1 << 15, x.size)
    gains[24:26], gains[:12] = -(1 << 15), gains[:12] | 1
    factors = gains if with_gains else np.ones(x.size, np.int64)

    def words(name, values):
        return [{name: values[n:n + lanes], "last": n + lanes == x.size} for n in range(0, x.size, lanes)]

    narrow = round_shift(x, k)
    squares = (narrow * narrow).reshape(-1, lanes).sum(axis=1)
    return Case(
        f"k {k}{', gains' if with_gains else ''}", settings={"up": up, "gained": with_gains},
        inputs=[{"i_load": loads(LoadTarget.GAIN, gains.astype("<i2").tobytes())},
                {"i": words("channels", [{"size": abs(int(a)), "negative": a < 0} for a in x])}],
        outputs={"o_products": words("sizes", [abs(int(a) * int(g)) << up for a, g in zip(x, factors, strict=True)]),
                 "o_v": words("x", gained(x, factors, np.int64(k))),
                 "o_squares": [{"sum": int(s), "last": n == squares.size - 1} for n, s in enumerate(squares)]})


@pytest.mark.parametrize(("technology", "places", "lanes"), [
    (ULTRASCALE_PLUS, (0, 1, 11, 37), 4), (SERIES_7, (11,), 4), (ECP5, (0, 1, 11, 19, 20, 21, 37), 1),
    pytest.param(ECP5, (11, 20), 4, marks=pytest.mark.slow)], ids=["ultrascale-plus", "series-7", "ecp5", "ecp5-wide"])
def test_equals_golden(technology, places, lanes):
    check(WithSharedUnits(NormGain(lanes), lanes),
          [_case(k, with_gains, lanes) for k in places for with_gains in (False, True)], stalls=[0.0],
          technology=technology)
