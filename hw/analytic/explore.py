"""The choice: every build of a grid that fits its share of the device, the fastest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import product

from hw.analytic.prediction import Prediction, Speed, predict_speed
from hw.analytic.sites import engine_sites
from hw.analytic.vector import vector_cycles
from hw.boards.board import Board, Share
from hw.boards.device import Resources
from hw.boards.memory_rate import MemoryRate
from models.config import ModelConfig
from models.errors import BuildError
from models.machine.build import BuildParameters

__all__ = ["candidates", "explore", "fits"]

ROWS = (1, 2, 4, 8, 16, 32)
ROW_BATCHES = (1, 2, 4, 8)
OUTPUTS_PER_STEP = (4, 8)  # readers and the vector engine take their sums by powers of two
WEIGHT_BUFFER_STEPS = (512, 1024, 2048, 4096, 8192)
_ALIKE = 0.005  # cycles that differ by less are equal: a little padding is no reason for another array
_LUTS_ALIKE = 0.1  # LUTs likewise: the model is not better than that


def candidates(config: ModelConfig, board: Board) -> Iterator[BuildParameters]:
    """The grid. The accumulators of a batch get the smallest power of two that the model's layers need."""
    for ports, rows, batches, outputs, steps in product(range(1, board.ports.count + 1), ROWS, ROW_BATCHES,
                                                        OUTPUTS_PER_STEP, WEIGHT_BUFFER_STEPS):
        build = replace(board.build, ports=ports, rows=rows, row_batches=1, outputs_per_step=outputs,
                        weight_buffer_steps=steps)
        words = 1 << (build.accumulator_use(config) - 1).bit_length()
        build = replace(build, row_batches=batches, accumulator_words=words * batches)
        if batches == 1 or build.shared_rows(config) == build.slots:  # else the batches would never be used
            yield build


def fits(engine: Resources, board: Board, share: Share) -> bool:
    """Whether the engine stays within its share of the board's device."""
    sites = board.device.sites
    return (engine.lut <= share.lut * sites.lut and engine.uram <= share.uram * sites.uram
            and engine.bram36 <= share.bram36 * sites.bram36 and board.device.fits(engine))


def explore(config: ModelConfig, board: Board, share: Share | None = None) -> list[Prediction]:
    """The builds that fit and decode as fast as any that does; those with the fastest prefill first, then the smallest,
    then those with the deepest weight buffer.

    share: None for the board's own. `BuildError` where none fits, and for a board that is only simulated.
    """
    board.check_chosen()
    fitting = [(build, engine_sites(build)) for build in candidates(config, board)]
    fitting = [(build, engine) for build, engine in fitting if fits(engine, board, share or board.share)]
    if not fitting:
        raise BuildError(f"no build for {config.name} fits its share of the {board.device.name}")
    decoding = [(build, engine, _speed(config, _timing(build, 1), board.memory, 1)) for build, engine in fitting]
    vector = vector_cycles(config, board.build)  # the grid's lanes are the board's
    quickest = min(decode.cycles for *_, decode in decoding)
    found = []
    for build, engine, decode in decoding:
        if decode.cycles <= quickest * (1 + _ALIKE):
            prefill = _speed(config, _timing(build, build.row_batches), board.memory, build.row_batches)
            found.append(Prediction(build, decode, replace(prefill, rows=build.slots), vector, engine))
    least = min(prediction.prefill.cycles_a_row for prediction in found)
    smallest = min(prediction.engine.lut for prediction in found)
    return sorted(found, key=lambda p: (
        int((p.prefill.cycles_a_row / least - 1) / _ALIKE), int((p.engine.lut / smallest - 1) / _LUTS_ALIKE),
        p.engine.uram, p.engine.bram36, -p.build.weight_buffer_steps, p.engine.lut))


def _timing(build: BuildParameters, batches: int) -> BuildParameters:
    """The build with all that no cycle depends on set to one value: rows come in batches, however wide."""
    return replace(build, rows=1, row_batches=batches, accumulator_words=batches)


@lru_cache(maxsize=4096)
def _speed(config: ModelConfig, build: BuildParameters, memory: MemoryRate, rows: int) -> Speed:
    return predict_speed(config, build, memory, rows=rows)
