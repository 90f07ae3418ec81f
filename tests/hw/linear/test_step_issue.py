# amaranth: UnusedElaboratable=no
"""Step issue: short and long commands, batches, padding, bases."""

from __future__ import annotations

from dataclasses import replace

from hw.boards.registry import BUILDS
from hw.linear.step_issue import StepIssue
from sim.runner import run_bench

BUILD = replace(BUILDS["sim-tiny"], name="four batches", rows=2, row_batches=4, outputs_per_step=4,
                accumulator_words=128)


def command(tiles, batches, first_batch, words, padding=0, base=0):
    return {"tiles": tiles, "batches": batches, "first_batch": first_batch, "outputs": words * BUILD.outputs_per_step,
            "padding": padding * BUILD.outputs_per_step, "base": base}


def test_bench():
    """Every length up to beyond the distance at which a word may come again; all of a batch's words; all batches."""
    commands = [command(3, 1, 0, words, base=words) for words in range(1, 7)]
    commands += [command(1, 1, 3, 1), command(2, 4, 0, 32), command(4, 2, 1, 5, padding=1, base=27),
                 command(3, 2, 2, 10, padding=2, base=20), command(2, 3, 1, 2, padding=1)]
    run_bench(StepIssue(BUILD), "tests.hw.linear.step_issue_bench", {"build": BUILD.to_json(), "commands": commands})
