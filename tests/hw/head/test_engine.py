"""The head engine against the golden logits and top-k: shapes, extremes, ties, stalls, rows."""

from dataclasses import replace

import numpy as np
import pytest

from hw.boards.registry import BUILDS
from hw.boards.technology import ECP5, ULTRASCALE_PLUS
from hw.head.engine import HeadEngine
from models.machine.layout import head_beats
from models.machine.scalar_format import word
from sim.runner import run_bench

BENCH = "tests.hw.head.engine_bench"
ONE_ROW = replace(BUILDS["sim-tiny"], name="one row", rows=2, hidden_max=128, top_k=8)
TWO_ROWS = replace(ONE_ROW, name="two rows", ports=1, rows=4, head_rows=2, top_k=6)
ONE = [1 << 23, 0]


def command(q, weights, *, unit=None, scales=None, k=4, write_logits=1, listed=None):
    """Scales default to 2**-15, so that with units of 1 a logit is twice its integer sum."""
    weights = np.asarray(weights)
    return {"q": np.asarray(q), "unit": unit or [ONE] * len(q), "weights": weights,
            "scales": [word(2.0**-15)] * len(weights) if scales is None else scales, "k": k,
            "write_logits": write_logits, "listed": listed}


def random_command(rng, build, rows, vocab, count, **options):
    unit = [[int(rng.integers(1 << 23, 1 << 24)), int(rng.integers(-20, -10))] for _ in range(rows)]
    scales = rng.integers(1 << 23, 1 << 24, vocab) | (rng.integers(-8, 2, vocab) & 255) << 24
    return command(rng.integers(-32767, 32768, (rows, count)), rng.integers(-127, 128, (vocab, count)), unit=unit,
                   scales=scales, **options)


def run(build, commands, *, stalls=(0.0,), cycles=None, technology=ULTRASCALE_PLUS):
    run_bench(HeadEngine(build), BENCH, {
        "build": build.to_json(), "commands": commands, "stalls": stalls, "cycles": cycles}, technology=technology)


@pytest.mark.parametrize(("build", "technology"), [
    (ONE_ROW, ULTRASCALE_PLUS), (TWO_ROWS, ULTRASCALE_PLUS), (ONE_ROW, ECP5)], ids=lambda given: given.name)
def test_commands_in_turn(build, technology):
    """Whole and odd blocks, rows of one beat and of the longest, a single logit, fewer than k, lists alone."""
    rng, rows = np.random.default_rng(5), build.head_rows
    shapes = [(rows, 37, 100, dict(k=build.top_k)), (rows, 16, build.beat_bytes, dict(k=1)), (1, 1, 1, dict(k=3)),
              (rows, 61, 7, dict(k=5, write_logits=0)), (1, 24, build.hidden_max, dict(k=build.top_k))]
    run(build, [random_command(rng, build, *shape, **options) for *shape, options in shapes], stalls=(0.0, 0.4),
        technology=technology)


def test_extremes():
    """The largest sums either way, logits that saturate or vanish, zero scales."""
    build = TWO_ROWS
    count = build.hidden_max
    q = np.array([[32767] * count, [-32767] * count])
    weights = np.array([[127] * count, [-128] * count, [0] * count] * 3)
    scales = [word(1.0)] * 3 + [word(2.0**-40)] * 3 + [0] * 3
    units = ([ONE, ONE], [[(1 << 24) - 1, 100], [(1 << 24) - 1, 511]], [[1 << 23, -500], [0, 0]])
    run(build, [command(q, weights, unit=list(unit), scales=scales) for unit in units])


def test_order_of_the_list():
    """Ties keep the lower id first; rising logits move the whole list every time, falling ones never."""
    build, count = TWO_ROWS, 4
    values = [[3] * 20, [*range(20)], [*range(20)][::-1], [5, 9, 5, 9, 9, 5, 1, 9, 5, 10, 9, 0, 10], [0, 0, -1, 0]]
    rows = np.array([[1] * count, [-1] * count])
    run(build, [command(rows, np.repeat(np.array(column)[:, None], count, axis=1), k=6) for column in values],
        stalls=(0.0, 0.3))


@pytest.mark.parametrize("build", [ONE_ROW, TWO_ROWS], ids=lambda build: build.name)
def test_listed_rows(build):
    """Rows of any blocks in any order, between commands of all rows; fewer than k; rows of one beat."""
    rng, rows = np.random.default_rng(7), build.head_rows

    def listed(vocab, count, size, **options):
        ids = rng.permutation(vocab)[:size]
        return random_command(rng, build, rows, vocab, count, write_logits=0, listed=ids, **options)

    run(build, [listed(100, 100, 20, k=build.top_k), random_command(rng, build, rows, 21, 9, k=5),
                listed(37, 4, 37, k=build.top_k), listed(60, build.hidden_max, 1, k=1), listed(9, 7, 3, k=6),
                random_command(rng, build, rows, 16, 9, k=5)], stalls=(0.0, 0.4))


def test_order_of_listed_rows():
    """Among equals the lower id comes first, whatever the order in which they come."""
    build, rng = TWO_ROWS, np.random.default_rng(8)
    rows = np.array([[1] * 4, [-1] * 4])
    columns = [np.zeros(40, int), rng.integers(-1, 2, 40), rng.integers(-3, 4, 40), np.arange(40) // 8]
    run(build, [command(rows, np.repeat(column[:, None], 4, axis=1), k=6, write_logits=0, listed=ids)
                for column in columns for ids in (np.arange(40)[::-1], rng.permutation(40))])


def test_the_stream_sets_the_pace():
    """With rows of several beats, a command takes the cycles of its beats."""
    build, vocab, count = ONE_ROW, 200, 128
    rng = np.random.default_rng(2)
    run(build, [random_command(rng, build, 1, vocab, count, k=8)], cycles=head_beats(vocab, count, build) + 80)
