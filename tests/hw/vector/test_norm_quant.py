"""NormQuant, with the tap and the scalar unit it shares, equals golden norm_quant."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hw.vector.norm_control import NormPass
from hw.vector.norm_quant import NormQuant
from models.golden.norm_quant import ABSMAX_FLOOR, NormConstants, norm_constants, norm_quant
from models.golden.scalar import ZERO, Scalar, constant, less
from models.machine.build import LANES
from models.machine.descriptor import LoadTarget
from sim.runner import run_bench
from tests.hw.arith.scalars import as_fields
from tests.hw.single_table import BENCH, table
from tests.hw.vector.shared_units import WithSharedUnits
from tests.hw.vector.taps import exponents, loads, random_tap, tap_bytes

LIMIT = (1 << 60) - 1
ROWS = {
    "random": lambda rng, dim: rng.integers(-(1 << 31) + 1, 1 << 31, dim),
    "wide": lambda rng, dim: rng.integers(-LIMIT, LIMIT + 1, dim) >> rng.integers(0, 60, dim),
    "outlier": lambda rng, dim: np.append(rng.integers(-(1 << 16), 1 << 16, dim - 1), -(1 << 30)),
    "largest": lambda rng, dim: rng.choice([-LIMIT, LIMIT], dim),
    "small": lambda rng, dim: rng.integers(-3, 4, dim),
    "zeros": lambda rng, dim: np.zeros(dim, np.int64),
}

def _first(units: int, below: int):
    """A first channel, of gain 1, that is the largest v: `units` of 2**37 and something less."""
    return lambda rng, dim: np.r_[(units << 37) + below, rng.integers(-(1 << 36), 1 << 36, dim - 2), LIMIT]


# The outlier, whose gain is 0, sets the shift; the others' gains are small enough for the last bit of v to matter.
BEHIND_AN_OUTLIER = {
    "ties": lambda rng, dim: np.append((2 * rng.integers(-300, 300, dim - 1) + 1) << 36, LIMIT),
    "any": lambda rng, dim: np.append(rng.integers(-(1 << 42), 1 << 42, dim - 1), LIMIT),
    "above": _first(300, (1 << 36) + 1), "even": _first(300, 1 << 36), "odd": _first(301, 1 << 36),
}


def _check(row: str, dim: int, *, scale: Scalar, rms=True, gained=True, levels=127, tapped=False, stall=0.0):
    rng = np.random.default_rng([dim, levels, len(row), rms, gained, tapped])
    x = (ROWS | BEHIND_AN_OUTLIER)[row](rng, dim)
    gains = rng.integers(-(1 << 15), 1 << 15, dim).astype(np.int16) if gained else None
    if row in BEHIND_AN_OUTLIER:
        gains[0], gains[1:-1], gains[-1] = 1, rng.integers(-90, 90, dim - 2), 0
    tap = random_tap(rng, dim) if tapped else None
    constants = norm_constants(dim, 14 if gained else 0, 1e-5 if rms else None)
    q, step = norm_quant(x[None], scale[None], gains, constants, levels=levels, tap_parameters=tap)
    again = not tapped and bool(less(step[0], constant(ABSMAX_FLOOR / levels * Fraction(1001, 1000))))
    # What the first quantisation gives, whose unit is not known yet: what a large one would.
    large = NormConstants(constant(2.0**100), None)
    sent = [norm_quant(x[None], constant(1)[None], gains, large, levels=levels)[0], q] if again else [q]

    unit = WithSharedUnits(NormQuant())
    channel_gains = gains if gained else rng.integers(-99, 99, dim)  # without gains or tap, theirs are noise
    memories = [*loads(LoadTarget.GAIN, channel_gains.astype("<i2").tobytes()),
                *loads(LoadTarget.TAP, tap_bytes(tap if tapped else random_tap(rng, dim)))]
    channels = [{"size": abs(int(value)), "negative": value < 0} for value in x]
    words = [{"channels": channels[n:n + LANES], "last": n + LANES == dim} for n in range(0, dim, LANES)]
    passes = [NormPass.LARGEST, *([NormPass.SQUARES] if rms and tapped else []),
              *([NormPass.TAPPED] if tapped else []), *[NormPass.QUANTISE] * len(sent)]
    start = {"gain": as_fields(constants.gain), "eps_sum": as_fields(constants.eps_sum if rms else ZERO), "rms": rms,
             "gained": gained, "levels16": levels > 127, "tapped": tapped, "exponents": exponents(tap)}
    run_bench(unit, BENCH, table(
        unit, settings={"scale": as_fields(scale)},
        inputs={"i_load": memories, "start": [start], "i_x": words * len(passes)},
        outputs={"passes": [kind.value for kind in passes],
                 "o_q": [{"values": some[0, n:n + LANES], "last": n + LANES == dim}
                         for some in sent for n in range(0, dim, LANES)],
                 "o_scale": [as_fields(step[0])]}, first="i_load", stall=stall))
    return q[0], again


@pytest.mark.parametrize("stall", [0.0, 0.3], ids=["free", "stalls"])
@pytest.mark.parametrize("tapped", [False, True], ids=["", "tap"])
@pytest.mark.parametrize("row", ROWS)
def test_rows(row, tapped, stall):
    q, _ = _check(row, 96, scale=constant(2.0**-14), tapped=tapped, stall=stall)
    assert (np.abs(q).max() == 127) == (row != "zeros" or tapped)


@pytest.mark.parametrize("tapped", [False, True], ids=["", "tap"])
@pytest.mark.parametrize("rms", [False, True], ids=["", "rms"])
@pytest.mark.parametrize("gained", [False, True], ids=["", "gains"])
def test_variants(rms, gained, tapped):
    _check("random", 132, scale=constant(3e-7), rms=rms, gained=gained, tapped=tapped, levels=32767, stall=0.1)


@pytest.mark.parametrize("scale", [constant(2.0**-40), Scalar(np.int64(1 << 23), np.int64(-500)), ZERO],
                         ids=["small", "underflow", "zero"])
@pytest.mark.parametrize("rms", [False, True], ids=["", "rms"])
def test_clamped_maximum(scale, rms):
    """Below transformers' floor of the absolute maximum nothing reaches full scale, after a second quantisation."""
    q, again = _check("small", 64, scale=scale, rms=rms)
    assert again and np.abs(q).max() < 127


@pytest.mark.parametrize("tapped", [False, True], ids=["", "tap"])
def test_one_word(tapped):
    assert np.abs(_check("largest", LANES, scale=constant(1), tapped=tapped)[0]).max() == 127


@pytest.mark.parametrize("row", BEHIND_AN_OUTLIER)
@pytest.mark.parametrize("clamped", [False, True], ids=["", "clamp"])
def test_products_are_rounded_once(row, clamped):
    """Half units of v, and a largest v that is not the largest x's; 16 bits of it."""
    _, again = _check(row, 64, scale=constant(2.0**-80 if clamped else 1), rms=clamped, levels=32767)
    assert again == clamped
