# amaranth: UnusedElaboratable=no
"""The tap on words equals the golden tap: rows of one word and more, parameters from the first on."""

from __future__ import annotations

import numpy as np

from hw.vector.word_tap import WordTap
from models.golden.tap import neutral_tap, tap
from sim.runner import run_bench
from tests.hw.arith.scalars import as_fields, random_scalars
from tests.hw.vector.taps import exponents, random_tap, words

LANES = 4


def _case(x, parameters, rho, bits):
    y = tap(x, parameters, rho._replace(m=np.full(len(x), rho.m), e=np.full(len(x), rho.e)), bits=bits)
    of_words = [words(parameters)[n:n + LANES] for n in range(0, x.shape[1], LANES)]
    return {"x": x.reshape(len(x), -1, LANES), "y": y.reshape(len(x), -1, LANES), "words": of_words,
            "settings": {"rho": as_fields(rho), "exponents": exponents(parameters), "narrow": int(bits == 32),
                         "ungained": 0, "mirrored": 0}}


def test_bench():
    rng, cases = np.random.default_rng(1), []
    for rows, dim, bits in ((3, 40, 40), (4, LANES, 32), (2, 24, 32), (1, LANES, 40)):
        limit = (1 << bits - 1) - 1
        x = rng.integers(-limit, limit + 1, (rows, dim)) >> rng.integers(0, bits - 2, (rows, dim))
        x[0, :LANES] = limit, -limit, 0, 1
        taps = random_tap(rng, dim, clip_exponent=9, threshold_exponent=3, add_exponent=5)
        cases.append(_case(x, taps, random_scalars(rng, 8, -5, 12)[4], bits))
        cases.append(_case(x, neutral_tap(dim), random_scalars(rng, 8, -5, 12)[3], bits))
    run_bench(WordTap(LANES), "tests.hw.vector.word_tap_bench", {"cases": cases})
