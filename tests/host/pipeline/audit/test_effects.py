"""The guard against illusions of subspaces, on the exact emulator: it flags a planted one and passes a real one."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.audit.effects import Effect, Passages, judged
from host.pipeline.audit.patches import setting
from host.pipeline.audit.readers import Split, planted_illusion, readers
from host.pipeline.observing import observe
from host.pipeline.site import Point, Site
from models.errors import OptionError
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES

CONFIG = FAMILIES["relu2 grouped heads"]
POINT = Point(CONFIG.layers - 1, Site.DOWN)


@pytest.fixture(scope="module")
def planted():
    """A model, what it holds while it reads texts of two manners, and passages of the second one."""
    model, random = synthetic_model(CONFIG, seed=1), np.random.default_rng(3)
    toward, away, held_out = (random.integers(low, low + 65, 1024) for low in (0, 65, 65))
    states = [observe(model, EmulatorDevice(CPU), [POINT], ids.tolist())[POINT] for ids in (toward, away)]
    matrix = readers(model, POINT)
    difference = states[0].mean(axis=0) - states[1].mean(axis=0)
    # weights are random and logits far apart: what the true difference writes is made to be what counts
    counts = (model.head.astype(np.float64) * model.final_gains[0]) @ (matrix @ difference)
    counts /= np.linalg.norm(counts)
    return states, matrix, difference, Passages(model, held_out.tolist(), 16, lambda logits: logits @ counts / 2**16)


def effects(planted, direction):
    """Of the whole, of what is read and of the rest, each set to the wanted manner's mean."""
    (toward, _), matrix, _, passages = planted
    found = []
    for vector in (direction, *Split.of(matrix).parts(direction)):
        unit = vector / np.linalg.norm(vector)
        found.append(passages.effect({POINT: [setting(unit, float((toward @ unit).mean()))]}))
    return found


def test_a_planted_illusion_is_flagged(planted):
    (toward, away), matrix, _, _ = planted
    whole, read, rest = effects(planted, planted_illusion(toward, away, matrix, Split.of(matrix)))
    assert whole.clear and whole.mean > 0  # it looks like the feature
    assert judged(whole, read) == "illusion"
    assert abs(rest.mean) < 0.1 * whole.mean  # the half that goes with the feature is connected to nothing


def test_a_real_direction_passes(planted):
    _, matrix, difference, _ = planted
    whole, read, rest = effects(planted, difference)
    assert 0.3 < Split.of(matrix).share(difference) < 0.9  # though a part of it is read by nothing
    assert judged(whole, read) == "real" and abs(rest.mean) < 0.1 * whole.mean


@pytest.mark.parametrize("whole, read, verdict", [
    ([1, 1.1, 0.9, 1], [0.9, 1, 0.8, 1], "real"), ([-1, -1.1, -0.9, -1], [-0.9, -1, -0.8, -1], "real"),
    ([1, 1.1, 0.9, 1], [0.1, 0, -0.1, 0.1], "illusion"), ([1, 1.1, 0.9, 1], [-1, -1.1, -0.9, -1], "illusion"),
    ([1, 1.1, 0.9, 1], [0.9, 0.1, 0.8, 0.3], "undecided"), ([1, -1.1, 0.9, -1], [0.9, 1, 0.8, 1], "none")])
def test_verdicts(whole, read, verdict):
    assert judged(Effect(np.array(whole)), Effect(np.array(read))) == verdict


def test_an_effect_that_a_random_direction_has_too_is_none():
    whole, control = Effect(np.array([1, 1.1, 0.9, 1])), Effect(np.array([-2, -1.5, 0.5, -2]))
    assert judged(whole, whole, [control]) == "none" and judged(whole, whole, [Effect(whole.each / 2)]) == "real"


def test_an_effect_has_its_standard_error():
    effect = Effect(np.array([1.0, 2.0, 3.0]))
    assert effect.mean == 2 and np.isclose(effect.error, 1 / np.sqrt(3)) and effect.clear


def test_a_short_text_is_refused():
    model = synthetic_model(CONFIG, seed=1)
    with pytest.raises(OptionError, match="128 are needed"):
        Passages(model, list(range(100)), 4, lambda logits: logits[:, 0])
