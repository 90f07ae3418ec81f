"""AttentionEngine against golden attention, bit for bit."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from hw.attention.engine import AttentionEngine
from hw.boards.technology import ECP5, ULTRASCALE_PLUS, Technology
from models.machine.build import BuildParameters
from sim.runner import run_bench
from tests.hw.attention.cases import KINDS

BENCH = "tests.hw.attention.engine_bench"


def build(ports: int, *, kv_bits: int = 8, group_max: int = 8, **changes) -> BuildParameters:
    given = dict(
        name="bench", clock_mhz=250, ports=ports, rows=8, outputs_per_step=4, weight_buffer_steps=256,
        accumulator_words=1024, hidden_max=512, inputs_max=1024, heads_max=8, head_dim_max=128, context_max=128,
        group_max=group_max, kv_bits=kv_bits)
    return BuildParameters(**{**given, **changes})


def case(kind: str, heads: int, kv_heads: int, dim: int, tokens: int, rows: int = 1, *, kv_bits: int = 8) -> dict:
    return dict(kind=kind, heads=heads, kv_heads=kv_heads, dim=dim, tokens=tokens, rows=rows, kv_bits=kv_bits)


def run(build: BuildParameters, cases: list[dict], stall: float, technology: Technology = ULTRASCALE_PLUS) -> None:
    run_bench(AttentionEngine(build), BENCH, {"build": asdict(build), "cases": cases, "stall": stall},
              technology=technology)


def shapes(kv_bits: int) -> list[dict]:
    """Group sizes 1 to 8; head sizes from less than a chunk to the largest; lengths about blocks, beats and jobs."""
    sizes = [(1, 1, 64, 1), (1, 1, 64, 2), (1, 1, 96, 3), (4, 1, 128, 16), (8, 4, 64, 17), (8, 8, 96, 3), (2, 1, 96,
                                                                                                           15),
             (6, 2, 64, 31), (2, 2, 64, 101), (8, 2, 128, 32), (3, 1, 16, 33), (1, 1, 8, 7), (2, 2, 24, 9),
             (8, 1, 64, 20), (6, 1, 96, 18), (5, 1, 32, 5), (1, 1, 128, 128), (4, 4, 96, 49)]
    rows = [(4, 2, 64, 14, 2), (2, 2, 32, 121, 8), (3, 3, 96, 1, 8), (4, 2, 96, 30, 5), (4, 1, 64, 62, 3), (8, 1, 96,
                                                                                                            15, 2),
            (1, 1, 96, 29, 7), (3, 1, 128, 1, 3)]
    return [case("random", *size, kv_bits=kv_bits) for size in (*sizes, *rows)]


def kinds(kv_bits: int) -> list[dict]:
    return [case(kind, 4, 2, 64, tokens, rows, kv_bits=kv_bits) for kind in KINDS for tokens, rows in ((1, 1), (18, 3))]


@pytest.mark.parametrize("stall", [pytest.param(0.0, marks=pytest.mark.slow), 0.3], ids=["free", "stalls"])
@pytest.mark.parametrize(("ports", "kv_bits", "pairs"), [
    (1, 8, 2), *(pytest.param(*other, marks=pytest.mark.slow) for other in ((4, 8, 4), (2, 8, 4), (4, 16, 4),
                                                                            (2, 16, 4)))])
def test_equals_golden(ports, kv_bits, pairs, stall):
    """Queries, keys and values of every shape and kind; the next command finds what the last one left."""
    run(build(ports, kv_bits=kv_bits, attention_pairs=pairs), shapes(kv_bits) + kinds(kv_bits), stall)


@pytest.mark.parametrize("stall", [0.0, pytest.param(0.3, marks=pytest.mark.slow)], ids=["free", "stalls"])
@pytest.mark.parametrize(("ports", "kv_bits", "pairs", "word", "lanes"), [
    (1, 8, 1, 4, 1), *(pytest.param(*other, marks=pytest.mark.slow) for other in (
        (1, 8, 2, 8, 2), (1, 8, 2, 4, 4), (2, 8, 4, 8, 4), (2, 8, 1, 16, 4), (1, 16, 1, 8, 4), (1, 16, 2, 4, 1)))])
def test_few_products_a_cycle(ports, kv_bits, pairs, word, lanes, stall):
    """Slices of beats, single pairs and narrow words to the vector engine, in multipliers of 18 bits."""
    given = build(ports, kv_bits=kv_bits, attention_pairs=pairs, query_word=word, lanes=lanes)
    cases = shapes(kv_bits)[::3 if word == 4 and pairs == 1 else 1] + kinds(kv_bits)
    run(given, cases, stall, ECP5)
