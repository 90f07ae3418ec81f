"""Wrong bits are as many as the rate says, where they should be, and none at rate 0."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.emulator.faulty_machine import FaultyEmulator, FlipRates, flip_bits
from host.pipeline.host_steps import HostSteps
from host.pipeline.site import LINEAR_INPUTS, points_of
from host.runtime import Session
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES

CONFIG = FAMILIES["relu2 grouped heads"]
IDS = [3, 1, 4, 1, 5]


@pytest.fixture(scope="module")
def model():
    return synthetic_model(CONFIG, seed=2)


def scored(model, rates, seed=0, looks=()):
    steps = HostSteps(model, looks={point: [lambda *_: None] for point in looks})
    session = Session(model, FaultyEmulator(CPU, rates, seed), host_steps=steps)
    return session.score(IDS), session


@pytest.mark.parametrize("dtype", [np.int8, np.int32])
@pytest.mark.parametrize("rate", [0, 0.03, 1])
def test_bits_flip_at_the_rate(rng, dtype, rate):
    given = rng.integers(-100, 100, (30, 20)).astype(dtype)
    values = given.copy()
    flips = flip_bits(values, rate, np.random.default_rng(1))
    wrong = np.unpackbits((values ^ given).view(np.uint8))
    assert flips == wrong.sum() and abs(flips - rate * wrong.size) <= 5 * np.sqrt(wrong.size * rate * (1 - rate))


def test_no_wrong_bit_is_the_plain_emulator(model):
    logits, session = scored(model, FlipRates())
    assert (logits == Session(model, EmulatorDevice(CPU)).score(IDS)).all() and session.device.machine.flips == 0


@pytest.mark.parametrize("rates", [FlipRates(activations=1e-2), FlipRates(sums=1e-3)])
def test_a_seed_decides(model, rates):
    plain, first, again, other = (scored(model, *given)[0] for given in
                                  ((FlipRates(),), (rates, 1), (rates, 1), (rates, 2)))
    assert (first == again).all() and (first != other).any() and (first != plain).any()


@pytest.mark.parametrize("stops", [False, True])
def test_every_stored_bit_may_be_wrong(model, stops):
    """Whether the machine's norms or the host give the activations; sums of all products but the head's."""
    looks = [point for site in LINEAR_INPUTS for point in points_of(site, CONFIG)] if stops else []
    shapes = CONFIG.linear_shapes.values()
    stored = len(IDS) * CONFIG.layers * np.array([
        sum(inputs for _, inputs in (CONFIG.linear_shapes[name] for name in ("q", "o", "gate", "down"))),
        sum(outputs for outputs, _ in shapes)])
    for rates, bits in ((FlipRates(activations=1), 8 * stored[0]), (FlipRates(sums=1), 32 * stored[1])):
        assert scored(model, rates, looks=looks)[1].device.machine.flips == bits
