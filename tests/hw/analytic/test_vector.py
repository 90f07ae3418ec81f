"""Predicted cycles of the vector engine against simulated ones, and how they follow lanes and shapes."""

from dataclasses import replace

import pytest

from hw.analytic.vector import vector_cycles
from hw.boards.registry import BUILDS
from models.checkpoint import load_config
from models.config import PRESETS

TINY, DEMO = BUILDS["sim-tiny"], load_config("demo")


@pytest.mark.parametrize("lanes, simulated", [(4, 2_608), (1, 6_282)])
def test_a_layer_as_simulated(lanes, simulated):
    """`sim.bench --board sim-tiny --model demo --phase decode --context 20`: its busy cycles, the build's lanes changed."""
    assert vector_cycles(replace(DEMO, layers=1), replace(TINY, lanes=lanes)) == pytest.approx(simulated, rel=0.05)


def test_what_goes_by_words_goes_by_lanes():
    four, two, one = (vector_cycles(DEMO, replace(TINY, lanes=lanes)) for lanes in (4, 2, 1))
    assert four < two < one < 4 * four
    words = 256 * 6 * (2 + 2 + 2 + 2) + 768 * 6 * 2 + 2 * 256  # of one channel: norms, additions; the head's norm
    assert one - two > words / 2  # heads are short of their scalar operations with four


def test_layers_add_up():
    model = PRESETS["bitnet-0.73b"]
    first, second = (vector_cycles(replace(model, layers=layers), BUILDS["kv260"]) for layers in (1, 2))
    every = vector_cycles(model, BUILDS["kv260"])
    assert every == pytest.approx(first + (model.layers - 1) * (second - first))
