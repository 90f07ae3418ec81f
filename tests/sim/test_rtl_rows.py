"""A build of two batches of two rows: a prompt's tokens share one stream of weights, with the emulator's bits."""

from dataclasses import replace

import pytest

from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from models.machine.build import BOARDS
from models.synth import synthetic_model
from sim.rtl_device import RtlDevice
from tests.families import FAMILIES
from tests.host.test_emulator import random_ids, random_taps
from tests.sim.test_rtl_device import check_equal

FOUR_SLOTS = replace(BOARDS["sim-tiny"], name="four slots", rows=2, row_batches=2, accumulator_words=2048)


@pytest.fixture(scope="module")
def rtl():
    device = RtlDevice(FOUR_SLOTS)
    yield device
    device.close()


@pytest.mark.parametrize("name", list(FAMILIES))
def test_full_passes_and_a_last_odd_one_equal_the_emulator(name, rtl):
    model = synthetic_model(FAMILIES[name], seed=1)
    taps = random_taps(model.config, seed=2)
    emulated, simulated = (Session(model, device, taps=taps) for device in (EmulatorDevice(FOUR_SLOTS), rtl))
    rtl.configure(stall_probability=0.1, seed=3)
    check_equal(emulated, simulated, random_ids(model.config, 11))


def test_rows_share_the_weights(rtl):
    model = synthetic_model(FAMILIES["llama plain"], seed=4)
    ids = random_ids(model.config, 4)
    session = Session(model, rtl)
    rtl.configure()
    read = []
    for pieces in ((ids,), (ids[:1], ids[1:2], ids[2:3], ids[3:])):
        session.reset()
        before = sum(rtl.core.bytes_read)
        for piece in pieces:
            session.feed(piece)
        read.append(sum(rtl.core.bytes_read) - before)
    assert read[0] < 0.4 * read[1]
