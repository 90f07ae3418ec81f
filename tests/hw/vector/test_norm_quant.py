"""NormQuant, with the tap and the scalar unit it shares, equals golden norm_quant."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from hw.vector.norm_control import NormPass
from hw.vector.norm_quant import NormQuant
from models.golden.norm_quant import ABSMAX_FLOOR, NormConstants, norm_constants, norm_quant
from models.golden.scalar import ZERO, Scalar, constant, less
from models.machine.descriptor import LoadTarget
from tests.hw.arith.scalars import as_fields
from tests.hw.stream_table import Case, check
from tests.hw.vector.shared_units import WithSharedUnits
from tests.hw.vector.taps import exponents, loads, random_tap, tap_bytes

LANES = 4
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


class _Row(NamedTuple):
    """A case with what the tests ask of its data: the integers given, and whether a row is quantised twice."""

    case: Case
    q: np.ndarray
    again: bool


def _row(row: str, dim: int, *, scale: Scalar, rms=True, gained=True, levels=127, tapped=False) -> _Row:
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

    channel_gains = gains if gained else rng.integers(-99, 99, dim)  # without gains or tap, theirs are noise
    memories = [*loads(LoadTarget.GAIN, channel_gains.astype("<i2").tobytes()),
                *loads(LoadTarget.TAP, tap_bytes(tap if tapped else random_tap(rng, dim)))]
    channels = [{"size": abs(int(value)), "negative": value < 0} for value in x]
    words = [{"channels": channels[n:n + LANES], "last": n + LANES == dim} for n in range(0, dim, LANES)]
    passes = [NormPass.LARGEST, *([NormPass.SQUARES] if rms and tapped else []),
              *([NormPass.TAPPED] if tapped else []), *[NormPass.QUANTISE] * len(sent)]
    start = {"gain": as_fields(constants.gain), "eps_sum": as_fields(constants.eps_sum if rms else ZERO), "rms": rms,
             "gained": gained, "levels16": levels > 127, "tapped": tapped, "exponents": exponents(tap)}
    kinds = {"without rms": not rms, "without gains": not gained, "16 bits": levels > 127, "tap": tapped,
             "twice": again, f"exponent {int(scale.e)}": True}
    case = Case(
        ", ".join([row, *(kind for kind, given in kinds.items() if given)]), settings={"scale": as_fields(scale)},
        inputs=[{"i_load": memories}, {"start": [start], "i_x": words * len(passes)}],
        outputs={"passes": [kind.value for kind in passes],
                 "o_q": [{"values": some[0, n:n + LANES], "last": n + LANES == dim}
                         for some in sent for n in range(0, dim, LANES)],
                 "o_scale": [as_fields(step[0])]})
    return _Row(case, q[0], again)


def _check(rows: list[_Row], *, stalls=(0.0,)) -> None:
    check(WithSharedUnits(NormQuant(LANES)), [row.case for row in rows], stalls=stalls)


def test_rows():
    rows = []
    for tapped in (False, True):
        for kind in ROWS:
            rows.append(_row(kind, 96, scale=constant(2.0**-14), tapped=tapped))
            assert (np.abs(rows[-1].q).max() == 127) == (kind != "zeros" or tapped)
    _check(rows, stalls=(0.0, 0.3))


def test_variants():
    _check([_row("random", 132, scale=constant(3e-7), rms=rms, gained=gained, tapped=tapped, levels=32767)
            for rms in (False, True) for gained in (False, True) for tapped in (False, True)], stalls=[0.1])


def test_clamped_maximum():
    """Below transformers' floor of the absolute maximum nothing reaches full scale, after a second quantisation."""
    scales = [constant(2.0**-40), Scalar(np.int64(1 << 23), np.int64(-500)), ZERO]  # the second underflows
    rows = [_row("small", 64, scale=scale, rms=rms) for scale in scales for rms in (False, True)]
    assert all(row.again and np.abs(row.q).max() < 127 for row in rows)
    _check(rows)


def test_one_word():
    rows = [_row("largest", LANES, scale=constant(1), tapped=tapped) for tapped in (False, True)]
    assert all(np.abs(row.q).max() == 127 for row in rows)
    _check(rows)


def test_products_are_rounded_once():
    """Half units of v, and a largest v that is not the largest x's; 16 bits of it."""
    rows = []
    for clamped in (False, True):
        for kind in BEHIND_AN_OUTLIER:
            rows.append(_row(kind, 64, scale=constant(2.0**-80 if clamped else 1), rms=clamped, levels=32767))
            assert rows[-1].again == clamped
    _check(rows)
