"""Texts longer than the cache on the generated Verilog: rows that moved have the emulator's bits."""

from host.context.scheduled import ScheduledText
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from sim.rtl_device import RtlDevice
from tests.host.context.test_scheduled import BEACON_ID, SCHEDULES, make_model, text
from tests.sim.cores import FOUR_SLOTS


def test_rows_leave_the_simulated_cache():
    model, schedule, found = make_model(), SCHEDULES["beacons"], []
    ids = text(model)
    for device in (RtlDevice(FOUR_SLOTS), EmulatorDevice(FOUR_SLOTS)):
        device.identify()
        session = Session(model, device)
        logits = ScheduledText(session, schedule, BEACON_ID).append(ids)
        found.append([logits.tobytes(), *(array.tobytes() for array in session.cache(1).values())])
        device.close()
    assert found[0] == found[1]
