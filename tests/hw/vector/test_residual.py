"""ResidualAdd, with what it shares, equals golden residual_add: plain, with a tap, with a closed loop."""

from __future__ import annotations

import numpy as np
import pytest

from hw.vector.residual import ResidualAdd
from models.golden.closed_loop import ClosedLoop
from models.golden.residual import residual_add
from models.golden.scalar import constant
from models.golden.tap import Tap
from models.machine.descriptor import LoadTarget, Loop
from tests.hw.arith.scalars import as_fields
from tests.hw.stream_table import Case, check
from tests.hw.vector.shared_units import WithSharedUnits
from tests.hw.vector.taps import exponents, loads, random_tap, tap_bytes

COUNT, BASE, LIMIT = 200, 9, (1 << 31) - 1


def _rows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What was loaded, and two rows of sums onto it, one after the other."""
    h = rng.integers(-LIMIT, LIMIT + 1, COUNT) >> rng.integers(0, 31, COUNT)
    h[:4] = LIMIT, -LIMIT, 0, LIMIT
    sums = rng.integers(-(1 << 23) + 1, 1 << 23, (2, COUNT))
    sums[:, :4] = 1, -1, 0, 0
    return h, sums


def _case(name: str, lanes: int, h: np.ndarray, sums: np.ndarray, factor: float, fraction_bits: int, tap: Tap | None,
          loaded: Tap) -> Case:
    """The same row of the memory again and again. loaded: what lies in the memory, whether it acts or not."""
    scale = constant(factor)
    memories = [{**word, "index": word["index"] + BASE * 4}
                for word in loads(LoadTarget.RESIDUAL, h.astype("<i4").tobytes())]
    memories += loads(LoadTarget.TAP, tap_bytes(loaded))
    words, writes = [], []
    starts, base = range(0, COUNT, lanes), BASE * 4 // lanes

    def written(row: np.ndarray) -> list[dict]:
        return [{"index": base + n // lanes, "h": row[n:n + lanes]} for n in starts]

    for row in sums:
        new = residual_add(h[None], row[None], scale[None], fraction_bits, tap)[0][0]
        words += [{"values": row[n:n + lanes], "last": n + lanes == COUNT} for n in starts]
        if isinstance(tap, ClosedLoop):
            plain = residual_add(h[None], row[None], scale[None], fraction_bits)[0][0]
            writes += written(plain)
            writes += written(new) if _acts(tap, plain) else []
        else:
            writes += written(new)
        h = new
    looped = isinstance(tap, ClosedLoop)
    loop = {"acts": tap.acts if looped else 0, "setpoint": tap.setpoint if looped else 5, "words": COUNT // lanes}
    settings = {"scale": as_fields(scale), "fraction_bits": fraction_bits, "tapped": tap is not None, "base": base,
                "exponents": exponents(loaded), "loop": loop}
    return Case(name, settings={"settings": settings}, inputs=[{"i_load": memories}, {"i": words}],
                outputs={"o_write": writes})


def _acts(loop: ClosedLoop, h: np.ndarray) -> bool:
    error = loop.setpoint - int(h @ loop.gain.astype(np.int64))
    return not (loop.acts == Loop.BELOW and error < 0 or loop.acts == Loop.ABOVE and error > 0)


def _plain_or_tapped(lanes: int, factor: float, fraction_bits: int, tapped: bool) -> Case:
    rng = np.random.default_rng(fraction_bits + 100)
    h, sums = _rows(rng)
    tap = random_tap(rng, COUNT, clip_exponent=8, threshold_exponent=-8, add_exponent=-9)
    return _case(f"scale {factor}{', tap' if tapped else ''}", lanes, h, sums, factor, fraction_bits,
                 tap if tapped else None, tap)


def _looped(lanes: int, acts: Loop, setpoint: int, exponent: int, seed: int) -> Case:
    rng = np.random.default_rng(seed)
    h, sums = _rows(rng)
    direction, gain = rng.integers(-32768, 32768, (2, COUNT))
    if seed % 2:  # one product at its widest, all others small
        direction >>= 12
        direction[0], h[0] = -32768, -LIMIT
    loop = ClosedLoop.of(direction, gain, exponent, setpoint, acts)
    # one row: the engine asks late
    return _case(f"loop {acts.name} {setpoint}", lanes, h, sums[:1], 2.3e-3, 16, loop, loop)


def _near(lanes: int, distance: int) -> Case:
    """The setpoint some units from the dot product, where each unit of it shows."""
    rng = np.random.default_rng(50 + distance)
    h, sums = _rows(rng)
    direction, gain = rng.integers(-32768, 32768, (2, COUNT))
    plain = residual_add(h[None], sums[:1], constant(2.3e-3)[None], 16)[0][0]
    loop = ClosedLoop.of(direction, gain, -4, int(plain @ direction) + distance)
    return _case(f"loop {distance} from the setpoint", lanes, h, sums[:1], 2.3e-3, 16, loop, loop)


SCALES = [(2.3e-3, 16), (1.7e-2, 16), (0, 16), (1e6, -12)]
LOOPS = [(acts, sign * size, exponent) for size, exponent in ((1 << 54, -44), ((1 << 60) - 1, -60), (1 << 20, -60))
         for sign in (1, -1) for acts in (Loop.ALWAYS, Loop.BELOW, Loop.ABOVE)]


@pytest.mark.parametrize("lanes", [4, pytest.param(2, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.slow)])
def test_equals_golden(lanes):
    cases = [_plain_or_tapped(lanes, scale, bits, tapped) for scale, bits in SCALES for tapped in (False, True)]
    cases += [_looped(lanes, *loop, seed) for seed, loop in enumerate(LOOPS)]
    cases += [_near(lanes, distance) for distance in (-3, -1, 0, 1, 2)]
    check(WithSharedUnits(ResidualAdd(lanes), lanes), cases)
