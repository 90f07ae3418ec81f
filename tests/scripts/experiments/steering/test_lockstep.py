"""Sequences side by side have the bits of sequences run alone."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.placement import place
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from host.runtime import Session
from hw.boards.registry import board_build
from models.synth import synthetic_model
from scripts.experiments.steering.lockstep import Lockstep
from tests.families import FAMILIES


@pytest.mark.parametrize("name", list(FAMILIES))
def test_lockstep_equals_sequences_run_alone(name):
    model = synthetic_model(FAMILIES[name], seed=3)
    config, random = model.config, np.random.default_rng(4)
    vectors = random.standard_normal((config.layers, config.hidden_size))
    taps = place([DifferenceOfMeans({"vectors": vectors}, 0.5)], model).taps
    ids = random.integers(0, config.vocab_size, (5, 12))
    lockstep = Lockstep(model, taps)
    for _ in range(2):  # a second time, after a reset, over what the first left behind
        lockstep.reset()
        found = np.stack([lockstep.step(column) for column in ids.T], axis=1)
    alone = Session(model, EmulatorDevice(board_build("sim-tiny")), taps=taps)
    for sequence, logits in zip(ids, found, strict=True):
        alone.reset()
        assert np.array_equal(alone.score(sequence), logits)


def test_too_many_sequences_are_refused():
    model = synthetic_model(next(iter(FAMILIES.values())))
    with pytest.raises(ValueError, match="at most 128"):
        Lockstep(model).step([0] * 129)
