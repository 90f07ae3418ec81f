"""VectorEngine: every command against the golden functions, one row and four, both widths of the cache, all lanes."""

from __future__ import annotations

import pytest

from hw.vector.engine import VectorEngine
from models.machine.build import BuildParameters
from sim.runner import run_bench

SIZES = dict(hidden=48, ffn=112, heads=4, kv_heads=2, dim=24)


def _build(rows: int, kv_bits: int, lanes: int) -> BuildParameters:
    return BuildParameters(
        name="test", clock_mhz=250, ports=1, rows=rows, outputs_per_step=4, weight_buffer_steps=32,
        accumulator_words=128, hidden_max=52, inputs_max=120, heads_max=4, head_dim_max=32, context_max=64, group_max=4,
        kv_bits=kv_bits, lanes=lanes, row_batches=2)  # twice the slots: a step may be that of a row in no command


@pytest.mark.parametrize("stall", [pytest.param(0.0, marks=pytest.mark.slow), 0.3], ids=["free", "stalls"])
@pytest.mark.parametrize("bench", ["engine_bench", "stops_bench"])
@pytest.mark.parametrize(("rows", "kv_bits", "lanes"), [
    pytest.param(1, 8, 4, marks=pytest.mark.slow), (4, 16, 4), (1, 8, 1),
    pytest.param(4, 16, 1, marks=pytest.mark.slow), pytest.param(4, 8, 2, marks=pytest.mark.slow)])
def test_commands(rows, kv_bits, lanes, bench, stall):
    build = _build(rows, kv_bits, lanes)
    run_bench(VectorEngine(build), f"tests.hw.vector.{bench}", {
        **SIZES, "rows": rows, "kv_bits": kv_bits, "lanes": lanes,
        "accumulator_words": build.accumulator_words, "seed": rows, "stall": stall})
