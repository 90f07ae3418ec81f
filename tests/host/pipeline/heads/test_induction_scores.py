"""Heads built to look somewhere score there and nowhere else; copying tells who writes what it looks at."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.heads.attention_weights import AttentionReader
from host.pipeline.heads.induction_scores import copying, looks
from host.pipeline.heads.repeats import repeated_sequences
from models.dequantise import float_model
from models.machine.build import CPU
from tests.host.pipeline.heads.planted_heads import DECOY, INDUCTION, PREVIOUS, VOCABULARY, planted_model

PERIOD = 6


@pytest.mark.parametrize(("name", "offset"), [("prefix", 1 - PERIOD), ("before", -1 - PERIOD), ("same", -PERIOD),
                                              ("previous", -1)])
def test_a_head_that_looks_at_one_place_scores_there_alone(name, offset):
    weights = np.zeros((1, 1, 2 * PERIOD, 2 * PERIOD))
    for query in range(2 * PERIOD):
        weights[0, 0, query, max(query + offset, 0)] = 1
    found = looks(weights, PERIOD)._asdict()
    assert {key: float(value[0, 0]) for key, value in found.items() if value[0, 0]} == pytest.approx({name: 1})


def test_a_head_that_looks_everywhere_scores_as_elsewhere():
    weights = np.tril(np.ones((1, 1, 2 * PERIOD, 2 * PERIOD)))
    found = looks(weights / weights.sum(axis=-1, keepdims=True), PERIOD)
    assert found.prefix == pytest.approx(found.elsewhere) and found.before == pytest.approx(found.previous)


def test_planted_heads_have_their_signatures():
    """The decoy's is the stronger one; only the induction head writes what it looks at."""
    model, (sequence,) = planted_model(), repeated_sequences(range(VOCABULARY), 1, 16, 0)
    seen = AttentionReader(model, EmulatorDevice(CPU))(sequence.ids)
    found = looks(seen.weights, sequence.period)
    assert found.prefix[DECOY] > found.prefix[INDUCTION] > 0.9 and found.previous[PREVIOUS] > 0.9
    others = np.ones(found.prefix.shape, bool)
    others[[INDUCTION[0], DECOY[0]], [INDUCTION[1], DECOY[1]]] = False
    assert found.prefix[others].max() < 0.2
    half = sequence.period
    copied = copying(float_model(model), seen.inputs[:, :half], np.array(sequence.ids[:half]), np.arange(VOCABULARY))
    assert copied[INDUCTION] == 1 and copied[DECOY] == 0.5 and copied.max() == 1
    assert np.count_nonzero(copied != 0.5) == 1
