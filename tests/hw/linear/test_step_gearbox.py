# amaranth: UnusedElaboratable=no
"""Step gearbox against the format of weight streams: tiles, padding, invalid bytes, stalls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hw.boards.registry import BUILDS
from hw.linear.step_gearbox import StepGearbox
from models.machine.layout import weight_beats_used, weight_stream
from sim.runner import run_bench
from tests.hw.linear.table_filling import trits_index


def test_bench():
    """Steps of 6 units, beats of 5."""
    build = replace(BUILDS["sim-tiny"], ports=1, outputs_per_step=4, weight_buffer_steps=16)
    rng = np.random.default_rng(1)
    trits = rng.integers(-1, 2, (build.padded_outputs(37), 4 * build.tile_inputs)).astype(np.int8)
    beats = weight_stream(trits, build)[:weight_beats_used(*trits.shape, build) * build.beat_bytes]
    # five trits a byte, in the stream's order: the tile, its outputs, its inputs
    ordered = trits.reshape(len(trits), 4, -1).transpose(1, 0, 2).reshape(-1, 5).copy()
    wrong = rng.random(beats.size) < 0.03
    wrong[-build.beat_bytes:] = True
    beats[wrong] = rng.integers(243, 256, np.count_nonzero(wrong))
    beats[-1] = 255
    ordered[wrong] = 0
    steps = [[[trits_index(group) for group in output.reshape(-1, 3)] for output in step]
             for step in ordered.reshape(-1, build.outputs_per_step, build.tile_inputs)]
    run_bench(StepGearbox(build), "tests.hw.linear.step_gearbox_bench", {
        "room": build.weight_buffer_steps,
        "beats": [int.from_bytes(beat.tobytes(), "little") for beat in beats.reshape(-1, build.beat_bytes)],
        "invalid": np.count_nonzero(wrong.reshape(-1, build.beat_bytes), axis=1), "steps": steps})
