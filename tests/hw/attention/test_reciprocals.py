# amaranth: UnusedElaboratable=no
"""Reciprocals of the softmax' sums, and the exponents of the results: of each pair, by the golden scalars."""

from __future__ import annotations

import numpy as np

from hw.attention.reciprocals import Reciprocals
from models.golden.scalar import constant, div, from_int
from models.machine.kv_format import kv_format
from models.machine.tables import P_FRACTION
from sim.runner import run_bench
from tests.hw.arith.scalars import as_fields

CONTEXT, KV_BITS = 64, 8
SHAPES = [(1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (1, 4), (2, 2), (1, 3)]  # heads, rows


def _case(rng, heads, rows, totals=None):
    """A row's exponent is its largest value scale's, in units of a result (docs/numerics.md §7)."""
    job = {"last": int(rng.integers(2)), "kv_head": int(rng.integers(256)), "head": int(rng.integers(256)),
           "row": int(rng.integers(250)), "tokens": int(rng.integers(1, CONTEXT)), "heads_last": heads - 1,
           "rows_last": rows - 1}
    totals = rng.integers(1, CONTEXT << P_FRACTION, 4, endpoint=True) if totals is None else totals
    largest = rng.integers(-128, 128, 4)
    unit = P_FRACTION - 23 - kv_format(KV_BITS).output_fraction
    pairs = range(heads * rows)
    reciprocals = div(constant(1), from_int(np.asarray(totals)))
    return {"i": {"job": job, "largest": largest, "totals": totals},
            "reciprocals": [as_fields(reciprocals[pair]) for pair in pairs],
            "exponents": [{"row": job["row"] + pair // heads, "group": job["kv_head"],
                           "exponent": int(largest[pair]) + unit} for pair in pairs]}


def test_bench():
    rng, most = np.random.default_rng(1), CONTEXT << P_FRACTION
    cases = [_case(rng, *shape) for shape in SHAPES]
    cases += [_case(rng, 4, 1, [1, most, most - 1, 1 << P_FRACTION]), _case(rng, 1, 4, [(1 << 24) - 1, 1 << 24, 3, 2])]
    run_bench(Reciprocals(pairs=4, kv_bits=KV_BITS, context_max=CONTEXT), "tests.hw.attention.reciprocals_bench",
              {"pairs": 4, "context_max": CONTEXT, "cases": cases})
