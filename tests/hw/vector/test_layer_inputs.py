"""LayerInputs: a norm's words and loaded ones reach the engines, and the norm's zeros are counted."""

from __future__ import annotations

from hw.vector.layer_inputs import LayerInputs
from sim.runner import run_bench


def test_both_kinds():
    run_bench(LayerInputs(4), "tests.hw.vector.layer_inputs_bench", {"rows": 40})
