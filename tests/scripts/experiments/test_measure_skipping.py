"""The bytes that a token's zeros give are those read, for several models; turns and table."""

from dataclasses import replace

import numpy as np
import pytest

from host.devices.base import WeightBytes
from models.errors import DeviceError
from models.synth import synthetic_model
from scripts.experiments.measure_skipping import Alternation, Seen, alternate, check_bytes, table, with_rows
from tests.families import FAMILIES


@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.9])
def test_turns_give_the_same_bits_and_the_predicted_bytes(zeros):
    """`alternate` checks both."""
    model = synthetic_model(replace(FAMILIES["relu2 grouped heads"], hidden_size=640, ffn_size=700), 1, zeros=zeros)
    times = alternate(model, "shortlist", tokens=2, turns=2, threads=1)
    assert len(times.dense) == len(times.skipping) == len(times.ratios) == 2
    share = times.weights.read / times.weights.all
    assert {0.0: 0.9, 0.5: 0.7, 0.9: 0.4}[zeros] < share < {0.0: 1.01, 0.5: 0.9, 0.9: 0.7}[zeros]


def test_other_bytes_are_refused():
    model = synthetic_model(FAMILIES["relu2 grouped heads"], 1)
    config = model.config
    live = Seen([config.attention_size] * config.layers, [config.ffn_size] * config.layers,
                [config.ffn_size] * config.layers)
    check_bytes(model, live, WeightBytes(999, 999))
    with pytest.raises(DeviceError, match="^998 bytes of weights were read, the zeros of the token give 999$"):
        check_bytes(model, live, WeightBytes(999, 998))
    width = model.layers[0].linears["up"].packed.shape[1]
    check_bytes(model, live._replace(gates=[config.ffn_size - 1] * config.layers),
                WeightBytes(999, 999 - config.layers * width))


def test_the_table_has_medians_best_turns_and_quartiles():
    times = Alternation([0.4, 0.2, 0.3], [0.1, 0.2, 0.2], WeightBytes(1000, 500))
    assert np.allclose(times.ratios, [4, 1, 1.5])
    assert table([("m", "avx2", 2, "exact", 0.25, times)]).splitlines()[2:] == [
        "| m | avx2 | 2 | exact | 25.0% | 50.0% | 3.3 | 5.0 | 1.50 | 2.00 | 1.00 to 4.00 |"]


def test_rows_of_other_runs_stay():
    head = ["| model | kernels | threads | head | x |", "| --- | --- | --- | --- | --- |"]
    before = [*head, "| a | avx2 | 1 | exact | 1 |", "| a | avx2 | 2 | exact | 2 |", ""]
    found = [*head, "| a | avx2 | 2 | exact | 3 |", "| a | avx512 | 2 | exact | 4 |"]
    assert with_rows("\n".join(before), "\n".join(found)).splitlines() == [*head, before[2], *found[2:]]
