"""LayerInputs: a norm's words and loaded ones reach the engines, and the norm's zeros are counted."""

from __future__ import annotations

import pytest

from hw.vector.layer_inputs import LayerInputs
from sim.runner import run_bench


@pytest.mark.parametrize("stall", [0.0, 0.4], ids=["free", "stalls"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_kinds(seed, stall):
    run_bench(LayerInputs(), "tests.hw.vector.layer_inputs_bench", {"seed": seed, "stall": stall, "rows": 40})
