# amaranth: UnusedElaboratable=no
"""The sources of NORM: residual rows, attention's results, gated products; rows of one word and more, extremes."""

from __future__ import annotations

import numpy as np

from hw.attention.output_memory import OUTPUT_BITS
from hw.vector.norm_source import NormSource as Unit
from models.golden.gated import gated_product
from models.golden.scalar import constant
from models.machine.descriptor import NormSource
from sim.runner import run_bench
from tests.hw.arith.scalars import as_fields

LANES = 4


def _case(rng, source, count, activation="silu"):
    """All sources have values of their own; one is asked."""
    gate_scale = constant(float(rng.uniform(1e-5, 1e-3)))
    settings = {"source": source, "count": count, "group_channels": int(rng.integers(1 << 16)),
                "gate_accumulator": int(rng.integers(1 << 16)), "up_accumulator": int(rng.integers(1 << 16)),
                "silu": int(activation == "silu"), "gate_scale": as_fields(gate_scale),
                "row": int(rng.integers(256)), "base": int(rng.integers(1 << 15))}
    residual = rng.integers(-(1 << 31), 1 << 31, count)
    attention = rng.integers(-(1 << OUTPUT_BITS - 1), 1 << OUTPUT_BITS - 1, count)
    gate, up = (rng.integers(-(1 << 23), 1 << 23, count) >> rng.integers(0, 20, count) for _ in range(2))
    residual[:LANES] = -(1 << 31), (1 << 31) - 1, 0, -1
    attention[:LANES] = -(1 << OUTPUT_BITS - 1), (1 << OUTPUT_BITS - 1) - 1, 0, -1
    product, _ = gated_product(gate[None], gate_scale[None], up[None], constant(1)[None], activation)
    row = {"row": settings["row"], "count": count}
    requests = {
        NormSource.RESIDUAL: {},
        NormSource.ATTENTION: {"attention": row | {"group_channels": settings["group_channels"]}},
        NormSource.GATED: {name: row | {"accumulator": settings[f"{name}_accumulator"]} for name in ("gate", "up")},
    }[source]
    x = {NormSource.RESIDUAL: residual, NormSource.ATTENTION: attention, NormSource.GATED: product[0]}[source]
    return {"settings": settings, "residual": residual, "attention": attention, "gate": gate, "up": up,
            "requests": requests, "x": x}


def test_bench():
    rng = np.random.default_rng(1)
    cases = [_case(rng, source, count) for count in (LANES, 40, 2 * LANES) for source in NormSource]
    cases += [_case(rng, NormSource.GATED, 24, "relu2"), _case(rng, NormSource.RESIDUAL, 12)]
    run_bench(Unit(LANES), "tests.hw.vector.norm_source_bench", {"cases": cases})
