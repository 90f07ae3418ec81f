"""Loader against a memory of beats."""

import pytest

from hw.boards.technology import ECP5, ULTRASCALE_PLUS
from hw.memory.loader import Loader
from models.machine.descriptor import LoadTarget
from sim.runner import run_bench
from tests.hw.memory.loads import WORD_BYTES


@pytest.mark.parametrize(("technology", "cycles"), [(ULTRASCALE_PLUS, 1), (ECP5, 2)])
def test_bench(technology, cycles):
    run_bench(Loader(), "tests.hw.memory.loader_bench", {"cycles": cycles}, technology=technology)


def test_bytes_of_a_word():
    """Beats and half beats, by docs/program.md; the bench takes them from the loader's own table."""
    assert WORD_BYTES == {
        LoadTarget.RESIDUAL: 16, LoadTarget.GAIN: 8, LoadTarget.TAP: 16, LoadTarget.ROPE: 8, LoadTarget.INPUT: 8,
        LoadTarget.HEAD_INPUT: 8, LoadTarget.STEP: 16, LoadTarget.AFFINE: 16}
