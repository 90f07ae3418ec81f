# amaranth: UnusedElaboratable=no
"""Logits of integer sums equal the golden rescaling by the product of two scales."""

from __future__ import annotations

import numpy as np

from hw.head.logit_scale import LOGIT_BITS, LogitScale
from models.golden.head import LOGIT_FRACTION
from models.golden.scalar import mul, scale_round
from tests.hw.arith.scalars import as_fields, random_scalars
from tests.hw.stream_table import Case, check

X_BITS, USER_BITS = 33, 9


def _case(name, x, unit, scale):
    y = scale_round(x, mul(unit, scale), fraction=LOGIT_FRACTION, bits=LOGIT_BITS)
    user = [n % 2**USER_BITS for n in range(x.size)]
    return Case(name, inputs={"i": [{"x": x[n], "unit": as_fields(unit[n]), "scale": as_fields(scale[n]),
                                     "user": user[n]} for n in range(x.size)]},
                outputs={"o": [{"y": y[n], "user": user[n]} for n in range(x.size)]})


def test_equals_golden():
    rng, count, limit = np.random.default_rng(1), 300, (1 << X_BITS - 1) - 1
    x = rng.integers(-limit, limit + 1, count) >> rng.integers(0, X_BITS, count)
    x[:4] = limit, -limit, 0, 1
    near = random_scalars(rng, count, -25, 5), random_scalars(rng, count, -25, 5)
    ones = [each._replace(m=np.full(count, 1 << 23)) for each in near]  # powers of two give ties
    check(LogitScale(X_BITS, USER_BITS), [
        _case("usual", x, *near), _case("ties", x >> 18, *ones),
        _case("all exponents", x, random_scalars(rng, count), random_scalars(rng, count)),
        _case("one", x[:1], near[0][:1], near[1][:1])])
