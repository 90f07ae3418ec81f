"""The linear engine against the golden product: shapes, corner values, stalls, builds."""

from dataclasses import replace

import numpy as np
import pytest

from hw.boards.registry import BUILDS
from hw.linear.engine import LinearEngine
from models.machine.layout import tile_count, weight_beats, weight_beats_used
from sim.runner import run_bench

BENCH = "tests.hw.linear.engine_bench"
TWO_ROWS = replace(BUILDS["sim-tiny"], name="two rows", ports=1, rows=2, accumulator_words=64, inputs_max=160)
TEST_BUILDS = {
    "two rows": TWO_ROWS,
    "two batches of two": replace(TWO_ROWS, row_batches=2, accumulator_words=128),
    "four batches of one": replace(TWO_ROWS, rows=1, row_batches=4, accumulator_words=256, outputs_per_step=8),
    "two lanes": replace(TWO_ROWS, lanes=2),
    "one lane": replace(TWO_ROWS, rows=1, lanes=1),
    "three ports": replace(TWO_ROWS, rows=1, ports=3, outputs_per_step=12, accumulator_words=128),
}
# compiling each takes long: batches of rows always, the others with the slow tests
NAMES = ["two batches of two", *(pytest.param(name, marks=pytest.mark.slow) for name in (
    "two rows", "four batches of one", "two lanes", "one lane", "three ports"))]


def random_matrix(rng, build, outputs, inputs, accumulator, batches=None):
    batches = batches or build.row_batches
    first = int(rng.integers(0, build.row_batches - batches + 1))
    return {"q": rng.integers(-127, 128, (batches * build.rows, inputs)), "first_row": first * build.rows,
            "trits": rng.integers(-1, 2, (outputs, inputs)), "accumulator": accumulator, "invalid": []}


def run(build, matrices, *, interleaved=False, stall=0.0, late=None, cycles=None):
    run_bench(LinearEngine(build), BENCH, {
        "build": build.to_json(), "matrices": matrices, "interleaved": interleaved, "stall": stall, "late": late,
        "cycles": cycles})


@pytest.mark.parametrize("stall", [pytest.param(0.0, marks=pytest.mark.slow), 0.4])
@pytest.mark.parametrize("name", NAMES)
def test_matrices_in_turn(name, stall):
    """Back to back at different bases: a single tile, odd sizes, the longest input, an earlier result overwritten."""
    build, rng = TEST_BUILDS[name], np.random.default_rng(7)
    words = 60 // build.outputs_per_step
    shapes = [(10, 24, 0), (37, 50, words), (10, build.inputs_max, 2 * words, 1), (3, 97, 0), (50, 71, words),
              (20, 160, 0), (1, 1, 2 * words, 1)]
    run(build, [random_matrix(rng, build, *shape) for shape in shapes], interleaved=stall > 0, stall=stall)


@pytest.mark.parametrize("name", NAMES)
def test_late_weights(name):
    """Both banks of the tables are full when the first step comes, so with few outputs the next tile begins at once
    and a word comes again before its sum is written."""
    build, rng = TEST_BUILDS[name], np.random.default_rng(11)
    run(build, [random_matrix(rng, build, outputs, 160, 0) for outputs in (10, 20, 30)], late=100)


def test_padding_leaves_other_sums_alone():
    """A matrix' words end with its last output: what lies behind them stays."""
    build, rng = TEST_BUILDS["two batches of two"], np.random.default_rng(5)
    assert build.padded_outputs(21) == 40
    behind = {**random_matrix(rng, build, 30, 60, 6), "kept": True}
    run(build, [behind, {**random_matrix(rng, build, 21, 60, 0), "kept": True}])


def test_extremes_and_zeros():
    """The largest sums either way, with the longest input, and nothing at all; padding meets what earlier
    vectors left in the activation memory."""
    build = TEST_BUILDS["two batches of two"]
    inputs = build.inputs_max
    matrices = []
    for value, trit, length in [(127, 1, inputs), (-127, 1, inputs), (127, -1, inputs), (0, 1, 33), (127, 0, 33),
                                (-127, -1, 25)]:
        matrices.append({"q": np.full((2, length), value), "trits": np.full((13, length), trit), "accumulator": 5,
                         "invalid": []})
    run(build, matrices)


@pytest.mark.parametrize("stall", [pytest.param(0.0, marks=pytest.mark.slow), 0.3])
def test_invalid_bytes_are_zeros_and_counted(stall):
    """Once, however often a tile is used; bytes of the stream's padding are not looked at."""
    build, rng = TEST_BUILDS["two batches of two"], np.random.default_rng(3)
    matrices = [random_matrix(rng, build, 15, 30, 0), random_matrix(rng, build, 40, 24, 8)]
    tile_bytes = weight_beats_used(15, 30, build) * build.beat_bytes
    matrices[0]["invalid"] = [0, 1, 47, 48, 50, 100, tile_bytes - 1, tile_bytes, tile_bytes + 15]
    matrices[1]["invalid"] = list(range(16, 32))
    run(build, matrices, stall=stall)


@pytest.mark.parametrize("outputs, inputs", [(200, 160), (20, 160)])
def test_the_stream_or_the_array_sets_the_pace(outputs, inputs):
    """With enough outputs a command takes the cycles of its beats or, in batches, of its steps, though the sums of the
    one before are read meanwhile; with few outputs it takes those of the tables' fill."""
    build = TEST_BUILDS["two batches of two"]
    tiles, fill = tile_count(inputs, build), 6 * build.ports + 29
    for batches in (1, 2):
        steps = tiles * batches * build.padded_outputs(outputs) // build.outputs_per_step
        pace = max(weight_beats(outputs, inputs, build), steps, tiles * batches * fill)
        run(build, [random_matrix(np.random.default_rng(1), build, outputs, inputs, 0, batches)], cycles=pace + 54)
