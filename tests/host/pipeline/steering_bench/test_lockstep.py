"""Sequences side by side have the bits of sequences run alone, under stages in the fabric and on the CPU."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.placement import host_steps, place
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from host.pipeline.steering_bench.lockstep import Lockstep, sampled
from host.runtime import Session
from models.errors import OptionError
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


@pytest.fixture
def started():
    """A lockstep, a stage of its model, prompts."""
    model, random = synthetic_model(FAMILIES["relu2 grouped heads"], seed=3), np.random.default_rng(4)
    config = model.config
    vectors = DifferenceOfMeans({"vectors": random.standard_normal((config.layers, config.hidden_size))})
    return model, vectors, random.integers(0, config.vocab_size, (3, 4))


def test_stages_change_under_way_and_the_sequences_stay(started):
    model, vectors, ids = started
    lockstep = Lockstep(model)
    for others in ([], [vectors.with_strength(0.3)]):
        lockstep.begin([vectors])
        alone = Session(model, EmulatorDevice(CPU), taps=place([vectors], model).taps)
        for index, column in enumerate(ids.T.tolist()):
            if index == 2:
                lockstep.change(others)
                placement = place(others, model)
                alone.set_host_steps(host_steps(placement, model))
                alone.set_taps(placement.taps)
            found, top = lockstep.step(column)[1], alone.decode(column[1])
            assert np.array_equal(found.logits, top.logits) and np.array_equal(found.ids, top.ids)


def test_taps_at_other_points_are_refused(started):
    model, vectors, _ = started
    lockstep = Lockstep(model)
    lockstep.begin([])
    with pytest.raises(OptionError, match="taps at other points"):
        lockstep.change([vectors])


def test_what_is_written_after_a_change_alone_differs(started):
    model, vectors, prompts = started
    lockstep, none, strong = Lockstep(model), [vectors.with_strength(0.0)], [vectors.with_strength(3.0)]

    def write(start):
        lockstep.begin(none)
        return sampled(lockstep, prompts, 12, before=lambda token: lockstep.change(strong) if token == start else None)

    whole, pushed = write(None), write(5)
    assert whole.shape == (3, 12) and np.array_equal(whole, write(11)), "the last token never enters"
    assert np.array_equal(whole[:, :6], pushed[:, :6]) and (whole[:, 6:] != pushed[:, 6:]).all()
