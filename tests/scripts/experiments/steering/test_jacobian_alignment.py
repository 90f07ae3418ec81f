"""Finite differences on the emulator, and cosines of right and wrong Jacobians with them."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.observing import observe
from host.pipeline.site import Point, Site
from models.machine.build import CPU
from models.synth import synthetic_model
from scripts.experiments.steering.jacobian_alignment import aligned, exact_change
from tests.families import FAMILIES

CONFIG = FAMILIES["relu2 grouped heads"]
MODEL = synthetic_model(CONFIG, seed=1)
IDS = np.random.default_rng(6).integers(0, CONFIG.vocab_size, 21).tolist()


def residual(layer, ids=IDS):
    point = Point(layer, Site.RESIDUAL)
    found = observe(MODEL, EmulatorDevice(CPU), [point], ids)[point]
    return np.rint(np.ldexp(found, MODEL.residual_fraction_bits)).astype(np.int64)


def test_a_layer_alone_gives_what_the_whole_model_gives():
    """Moving the last token to what another last token has in front of the layer moves it behind the layer likewise."""
    unit, other = 2.0**-MODEL.residual_fraction_bits, [*IDS[:-1], (IDS[-1] + 1) % CONFIG.vocab_size]
    changed = exact_change(MODEL, 1, residual(0))
    delta = (residual(0, other)[-1] - residual(0)[-1]) * unit
    given, out = changed(delta)
    assert np.array_equal(given, delta)
    assert np.array_equal(out, (residual(1, other)[-1] - residual(1)[-1]) * unit)
    assert not changed(np.zeros_like(delta))[1].any()


def test_a_jacobian_by_differences_is_aligned_and_another_is_not():
    changed, size = exact_change(MODEL, 1, residual(0)), CONFIG.hidden_size
    step = 0.3 * np.linalg.norm(residual(0)[-1]) * 2.0**-MODEL.residual_fraction_bits
    columns = [changed(step * row) for row in np.eye(size)]
    right = np.stack([out for _, out in columns], axis=1) / step
    wrong = np.random.default_rng(1).standard_normal((size, size))
    found = aligned(MODEL, [IDS], [right[None]], wrong[None], [0.01, 0.3], 3)
    assert [(a.layer, a.step) for a in found] == [(0, 0.01)] * 3 + [(0, 0.3)] * 3
    last = found[-3:]
    assert min(a.own for a in last) > 0.8 and max(abs(a.mean) for a in last) < 0.4
    assert np.mean([a.own_added for a in last]) > 0.4 > np.mean([abs(a.mean_added) for a in last])
    assert all(a.own != a.identity and -1 <= a.identity <= 1 for a in found)


def test_no_change_has_no_direction():
    found = aligned(MODEL, [IDS], [np.zeros((1, 96, 96))], np.eye(96)[None], [0.1], 1)[0]
    assert found.own == 0 and found.mean == pytest.approx(found.identity) and found.mean_added == 0
