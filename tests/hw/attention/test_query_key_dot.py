"""QueryKeyDot: exact dot products for both widths of keys and beats of one and two chunks."""

from __future__ import annotations

import pytest

from hw.attention.query_key_dot import QueryKeyDot
from hw.boards.registry import BOARDS
from hw.boards.technology import ECP5, ULTRASCALE_PLUS
from sim.runner import run_bench

KEYS = [(1, 2, False), (6, 2, True), (7, 3, False), (8, 3, True), (5, 4, False), (1, 3, False), (3, 8, False)]


@pytest.mark.parametrize(("pairs", "kv_bits", "chunk_bits", "parts", "technology"), [
    (2, 8, 256, 2, ULTRASCALE_PLUS), pytest.param(4, 8, 256, 2, ULTRASCALE_PLUS, marks=pytest.mark.slow),
    pytest.param(4, 8, 256, 1, ULTRASCALE_PLUS, marks=pytest.mark.slow),
    pytest.param(4, 16, 256, 2, ULTRASCALE_PLUS, marks=pytest.mark.slow),
    pytest.param(2, 8, 128, 1, BOARDS["arty_z7"].technology, marks=pytest.mark.slow)])
def test_exact_dots(pairs, kv_bits, chunk_bits, parts, technology):
    """The Arty Z7 has one pair's products in blocks, the other's in LUTs."""
    unit = dict(pairs=pairs, kv_bits=kv_bits, chunk_bits=chunk_bits, parts=parts, dim_max=8 * chunk_bits // kv_bits)
    run_bench(QueryKeyDot(**unit), "tests.hw.attention.query_key_dot_bench",
              {"unit": unit, "keys": KEYS},
              technology=technology)


@pytest.mark.slow  # test_engine.py has them in the engine
@pytest.mark.parametrize(("pairs", "kv_bits", "word"), [(1, 8, 4), (2, 8, 8), (1, 16, 4)])
def test_slices(pairs, kv_bits, word):
    """Of a beat, in multipliers of 18 bits."""
    unit = dict(pairs=pairs, kv_bits=kv_bits, chunk_bits=word * kv_bits, parts=1, dim_max=8 * word, word=word)
    run_bench(QueryKeyDot(**unit), "tests.hw.attention.query_key_dot_bench", {"unit": unit, "keys": KEYS},
              technology=ECP5)


@pytest.mark.parametrize(("changes", "message"), [
    ({"kv_bits": 12}, "kv_bits must be 8 or 16, got 12"), ({"parts": 3}, "a beat has 1 or 2 chunks, got 3"),
    ({"chunk_bits": 64}, "a chunk must hold whole words of 16 queries, not 8 elements")])
def test_refused(changes, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        QueryKeyDot(**{"pairs": 4, "kv_bits": 8, "chunk_bits": 256, "parts": 2, "dim_max": 64, **changes})
