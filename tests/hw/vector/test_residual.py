"""ResidualAdd, with what it shares, equals golden residual_add."""

from __future__ import annotations

import numpy as np

from hw.vector.residual import ResidualAdd
from models.golden.residual import residual_add
from models.golden.scalar import constant
from models.machine.build import LANES
from models.machine.descriptor import LoadTarget
from tests.hw.arith.scalars import as_fields
from tests.hw.stream_table import Case, check
from tests.hw.vector.shared_units import WithSharedUnits
from tests.hw.vector.taps import exponents, loads, random_tap, tap_bytes

COUNT, BASE = 200, 9


def _case(factor: float, fraction_bits: int, tapped: bool) -> Case:
    """Two rows after each other, each onto what was loaded."""
    rng = np.random.default_rng(fraction_bits + 100)
    limit = (1 << 31) - 1
    h = rng.integers(-limit, limit + 1, COUNT) >> rng.integers(0, 31, COUNT)
    h[:4] = limit, -limit, 0, limit
    sums = rng.integers(-(1 << 23) + 1, 1 << 23, (2, COUNT))
    sums[:, :4] = 1, -1, 0, 0
    scale = constant(factor)
    tap = random_tap(rng, COUNT, clip_exponent=8, threshold_exponent=-8, add_exponent=-9)
    memories = [{**word, "index": word["index"] + BASE * LANES}
                for word in loads(LoadTarget.RESIDUAL, h.astype("<i4").tobytes())]
    memories += loads(LoadTarget.TAP, tap_bytes(tap))
    words, writes = [], []
    for row in sums:
        new = residual_add(h[None], row[None], scale[None], fraction_bits, tap if tapped else None)[0][0]
        starts = range(0, COUNT, LANES)
        words += [{"values": row[n:n + LANES], "last": n + LANES == COUNT} for n in starts]
        writes += [{"index": BASE + n // LANES, "h": new[n:n + LANES]} for n in starts]
    settings = {"scale": as_fields(scale), "fraction_bits": fraction_bits, "tapped": tapped, "base": BASE,
                "exponents": exponents(tap)}
    return Case(f"scale {factor}{', tap' if tapped else ''}", settings={"settings": settings},
                inputs=[{"i_load": memories}, {"i": words}], outputs={"o_write": writes})


def test_equals_golden():
    check(WithSharedUnits(ResidualAdd()), [_case(scale, fraction_bits, tapped) for scale, fraction_bits in [
        (2.3e-3, 16), (1.7e-2, 16), (0, 16), (1e6, -12)] for tapped in (False, True)])
