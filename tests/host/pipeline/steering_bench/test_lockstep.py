"""Sequences side by side have the bits of sequences run alone, under stages in the fabric and on the CPU."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.placement import host_steps, place
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from host.pipeline.steering_bench.lockstep import Lockstep
from host.runtime import Session
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.pipeline.scaled_down import ScaledDown


@pytest.mark.parametrize("name", list(FAMILIES))
def test_lockstep_equals_sequences_run_alone(name):
    model = synthetic_model(FAMILIES[name], seed=3)
    config, random = model.config, np.random.default_rng(4)
    vectors = DifferenceOfMeans({"vectors": random.standard_normal((config.layers, config.hidden_size))}, 0.5)
    scaled = ScaledDown({"scales": random.uniform(0.5, 1.5, (config.layers, config.ffn_size))})
    ids = random.integers(0, config.vocab_size, (19, 6))
    lockstep = Lockstep(model)
    for stages in ([], [vectors], [vectors, scaled], [vectors.with_strength(-1.0)]):
        lockstep.begin(stages)
        found = [lockstep.step(column.tolist()) for column in ids.T]
        placement = place(stages, model)
        alone = Session(model, EmulatorDevice(CPU), taps=placement.taps, host_steps=host_steps(placement, model))
        for sequence in (0, 15, 16, 18):
            alone.reset()
            tops = [alone.decode(int(token)) for token in ids[sequence]]
            for step, top in enumerate(tops):
                assert np.array_equal(found[step][sequence].ids, top.ids)
                assert np.array_equal(found[step][sequence].logits, top.logits)
