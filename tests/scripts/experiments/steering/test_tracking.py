"""What is measured of a steered residual: projections, effort where it is made, equal energy, a switch of stages."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.observing import observe
from host.pipeline.placement import place
from host.pipeline.site import Point, Site
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from models.machine.build import CPU
from scripts.experiments.steering.tracking import Track, follow, follow_switch, open_loop, setpoint
from tests.host.pipeline.steering.test_lqr import CONFIG, LQR, MODEL, tensors

WINDOWS = np.random.default_rng(6).integers(0, CONFIG.vocab_size, (2, 24)).tolist()
DIRECTION = tensors()["directions"][-1]


def test_a_track_is_what_the_device_shows():
    vectors = np.random.default_rng(7).standard_normal((CONFIG.layers, CONFIG.hidden_size))
    stage = DifferenceOfMeans({"vectors": vectors})
    track = follow(MODEL, stage, DIRECTION, WINDOWS)
    point = Point(CONFIG.layers - 1, Site.RESIDUAL)
    for ids, projections in zip(WINDOWS, track.projections, strict=True):
        shown = observe(MODEL, EmulatorDevice(CPU), [point], ids, taps=place([stage], MODEL).taps)[point]
        assert np.allclose(projections, shown @ DIRECTION)
    assert np.allclose(track.effort, np.square(vectors).sum(), rtol=1e-3)
    assert np.allclose(track.additions, np.linalg.norm(vectors, axis=1), rtol=1e-3)


def test_error_and_energy_leave_the_first_tokens_out():
    track = Track(np.array([[9.0, 1, 3]]), np.array([[9.0, 2, 4]]), np.zeros(1))
    assert track.error(2, skipped=1) == 1 and track.energy(skipped=1) == 3
    assert track.error(2, skipped=0) == pytest.approx(np.sqrt((49 + 1 + 1) / 3))


def test_an_open_loop_has_the_energy_and_proportions_asked_for_in_the_loop_s_sense():
    for strength in (1, -1):
        loop = LQR.load(tensors(), strength)
        stage = open_loop(loop, np.array([1.0, 2.0]), 7.0)
        assert follow(MODEL, stage, DIRECTION, WINDOWS).energy() == pytest.approx(7, rel=1e-3)
        along = (stage.tensors["vectors"] * loop.tensors["directions"]).sum(axis=1)
        assert along[1] == pytest.approx(2 * along[0]) and np.sign(along[0]) == strength


def test_a_loop_without_steering_is_followed_too():
    track = follow(MODEL, LQR.load(tensors(), 0), DIRECTION, WINDOWS)
    assert not track.effort.any() and track.projections.shape == (2, 24)


def test_a_switch_takes_the_other_stage_from_there_on():
    loops = [LQR.load(tensors(), strength) for strength in (-1, 1)]
    switched = follow_switch(MODEL, *loops, DIRECTION, WINDOWS, 10)
    before, after = (follow(MODEL, loop, DIRECTION, WINDOWS) for loop in loops)
    assert np.allclose(switched.projections[:, :10], before.projections[:, :10])
    assert not np.allclose(switched.projections[:, 10:], before.projections[:, 10:])
    assert np.abs(switched.projections - after.projections)[:, 10:].mean() < (
        np.abs(switched.projections - before.projections)[:, 10:].mean())


def test_the_setpoint_lies_where_the_loop_wants_it():
    parts = tensors()
    assert setpoint(LQR.load(parts, -2)) == pytest.approx(DIRECTION @ parts["centres"][-1] - 6)
