"""AttentionEngine against golden attention, bit for bit."""

from __future__ import annotations

import pytest

from hw.attention.engine import AttentionEngine
from models.machine.build import BuildParameters
from sim.benches.attention.cases import KINDS
from sim.runner import run_bench

BENCH = "sim.benches.attention.engine"


def build(kv_bits: int) -> BuildParameters:
    return BuildParameters(
        name="bench", clock_mhz=250, ports=1, rows=2, outputs_per_step=4, weight_buffer_steps=256,
        accumulator_words=1024, hidden_max=512, inputs_max=1024, heads_max=8, head_dim_max=128, context_max=128,
        group_max=4, kv_bits=kv_bits)


def case(kind: str, heads: int, kv_heads: int, dim: int, tokens: int, rows: int = 1, *, kv_bits: int) -> dict:
    return dict(kind=kind, heads=heads, kv_heads=kv_heads, dim=dim, tokens=tokens, rows=rows, kv_bits=kv_bits)


def shapes(kv_bits: int) -> list[dict]:
    """Group sizes 1, 2, 4; head sizes from one beat to the largest; lengths about the beats of scales."""
    sizes = [(1, 1, 64, 1), (1, 1, 64, 2), (2, 1, 96, 15), (4, 1, 128, 16), (8, 4, 64, 17), (8, 8, 96, 3),
             (6, 2, 64, 5), (2, 2, 64, 101), (8, 2, 128, 11), (3, 1, 16, 33), (1, 1, 8, 7), (2, 2, 20, 9)]
    return [case("random", *size, kv_bits=kv_bits) for size in sizes] + [
        case("random", 4, 2, 64, 14, 2, kv_bits=kv_bits), case("random", 2, 2, 32, 126, 2, kv_bits=kv_bits)]


def kinds(kv_bits: int) -> list[dict]:
    return [case(kind, 4, 2, 64, tokens, kv_bits=kv_bits) for kind in KINDS for tokens in (1, 18)]


@pytest.mark.parametrize("stall", [0.0, 0.3], ids=["free", "stalls"])
@pytest.mark.parametrize("kv_bits", [8, 16])
def test_equals_golden(kv_bits, stall):
    """Queries, keys and values of every shape and kind; the next command finds what the last one left."""
    run_bench(AttentionEngine(build(kv_bits)), BENCH,
              {"cases": shapes(kv_bits) + kinds(kv_bits), "stall": stall})


