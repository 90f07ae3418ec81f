"""Builds whose vector engine takes one channel a cycle, or two: the emulator's bits, whatever the memory does."""

from dataclasses import replace

import pytest

from host.devices.emulator import EmulatorDevice
from host.engine.engine import Engine
from host.engine.request import Request
from host.pipeline.host_steps import HostSteps
from host.runtime import Session
from host.sampler import Sampler
from models.checkpoint import load_model
from models.synth import synthetic_model
from sim.rtl_device import RtlDevice
from tests.families import FAMILIES
from tests.host.compiler.test_stops import points_of
from tests.host.devices.test_emulator import random_ids, random_taps
from tests.sim.cores import FOUR_SLOTS
from tests.sim.test_rtl_device import check_best, check_equal

pytestmark = pytest.mark.slow  # a core of its own for each


@pytest.fixture(scope="module", params=[1, 2])
def rtl(request):
    device = RtlDevice(replace(FOUR_SLOTS, name=f"four slots, lanes {request.param}", lanes=request.param))
    yield device
    device.close()


def sessions(model, rtl, **options):
    return [Session(model, device, **options) for device in (EmulatorDevice(rtl.build), rtl)]


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_family_equals_the_emulator(name, rtl):
    """Five rows in passes of four, plain and with taps, under stalls of every channel."""
    model = synthetic_model(FAMILIES[name], seed=1)
    for taps, memory in ((None, {}), (random_taps(model.config, seed=3), dict(
            latency=37, stall_probability=0.3, reorder_probability=0.3, seed=5))):
        rtl.configure(**memory)
        check_equal(*sessions(model, rtl, taps=taps), random_ids(model.config, 5))


def test_shortlists_equal_the_emulator(rtl):
    model = synthetic_model(replace(FAMILIES["relu2 grouped heads"], vocab_size=777), seed=6)
    rtl.configure(stall_probability=0.2, seed=2)
    ids = random_ids(model.config, 4).tolist()
    pair = sessions(model, rtl, head="shortlist")
    check_best(*([session.prefill(ids[:2]), session.decode(ids[2]), session.decode(ids[3])] for session in pair))


def test_stops_at_every_site_change_no_bit(rtl):
    """Rows leave by STORE and come back by LOAD."""
    model = synthetic_model(FAMILIES["silu full heads"], seed=4)
    rtl.configure(stall_probability=0.1, seed=3)
    ids = random_ids(model.config, 5)
    looks = {point: [lambda *_: None] for point in points_of(model.config)}
    expected = Session(model, EmulatorDevice(rtl.build)).score(ids)
    assert (Session(model, rtl, host_steps=HostSteps(model, looks=looks)).score(ids) == expected).all()


def test_saturations_are_counted(rtl):
    model = synthetic_model(FAMILIES["one head"], seed=7)
    model.residual_fraction_bits += 8
    rtl.configure()
    emulated, simulated = sessions(model, rtl)
    before = simulated.saturations
    check_equal(emulated, simulated, random_ids(model.config, 2))
    assert simulated.saturations - before == emulated.saturations > 0


def test_the_shipped_model_generates_the_same_tokens(rtl):
    model = load_model("demo")
    rtl.configure()
    prompt = random_ids(model.config, 4, seed=6).tolist()
    expected, found = (Engine(s).complete(Request(prompt, Sampler(0.0), 3)).ids for s in sessions(model, rtl))
    assert expected == found
