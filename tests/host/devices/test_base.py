"""Whatever ends a run, nothing runs any more behind it; and no run begins on a device that is not at rest."""

from __future__ import annotations

import numpy as np
import pytest

from host.devices.base import Buffer, Device
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.errors import DeviceError
from models.machine.registers import LIMIT_BYTES, REGISTERS, Control, Status, register
from models.synth import synthetic_model
from tests.families import FAMILIES

TINY = BUILDS["sim-tiny"]
NAMES = {r.offset: r.name for r in REGISTERS}
BASE = 0x1000_0000


class Scripted(Device):
    """Registers and a run of `length` looks at STATUS; memory that answers `drain` looks after its end."""

    name, build, patience = "scripted", TINY, 20

    def __init__(self, length=3, drain=2):
        self.length, self.drain = length, drain
        self.registers = {r.name: r.reset for r in REGISTERS}
        self.running = self.owed = 0
        self.done, self.code, self.starts, self.log = False, 0, 0, []
        self.interrupt_at = None
        self.looks = 0

    def _memory(self, size):
        return Buffer(np.zeros(size, np.uint8), BASE)

    def reset_fabric(self):
        self.registers = {r.name: r.reset for r in REGISTERS}
        self.running, self.done, self.code = 0, False, 0

    def _access(self):
        self.looks += 1
        if self.looks - 1 == self.interrupt_at:
            raise KeyboardInterrupt

    def write_register(self, offset, value):
        self._access()
        name = NAMES[offset]
        self.log.append((name, value))
        if name != "CONTROL":
            self.registers[name] = value
            return
        if value & Control.ABORT and self.running:
            self._end(Status.ERROR_ABORTED)
        if value & Control.ACKNOWLEDGE:
            self.done, self.code = False, 0
        if value & Control.START:
            assert not self.running and not self.owed, "a device that is not at rest was started"
            self.starts += 1
            if self.registers["LIMIT"]:
                self.running, self.owed = self.length, self.drain
            else:
                self._end(Status.ERROR_OUTSIDE)

    def _end(self, code):
        self.running, self.done, self.code = 0, True, code

    def read_register(self, offset):
        self._access()
        if NAMES[offset] != "STATUS":
            return self.registers[NAMES[offset]]
        if self.running:
            self.running -= 1
            if not self.running:
                self._end(0)
                self.owed = 0
            return Status.BUSY
        if self.owed > 0:
            self.owed -= 1
        error = Status.ERROR | self.code << 8 if self.code else 0
        return error | Status.DONE * self.done | Status.QUIET * (not self.owed)

    def wait(self, progress=None):
        while not self.ended():
            if progress:
                progress(0)


@pytest.fixture
def device():
    device = Scripted()
    device.allocate(1000)
    device.log.clear()
    return device


def test_a_run_starts_once_and_is_acknowledged(device):
    assert device.run(BASE, 1, 7) == 0 and device.starts == 1
    assert device.registers["POSITION"] == 7 and device.log[-1] == ("CONTROL", Control.ACKNOWLEDGE)
    assert ("CONTROL", Control.ABORT) not in device.log


def test_memory_is_confined_to_the_buffer(device):
    assert device.registers["BASE"] * LIMIT_BYTES == BASE
    assert device.registers["LIMIT"] * LIMIT_BYTES == BASE + 1024


def test_an_interrupt_at_any_access_leaves_nothing_running(device):
    """In a run, behind it and while it is being ended."""
    for at in range(40):
        device.looks, device.interrupt_at = 0, at
        try:
            device.run(BASE, 1, 0)
        except KeyboardInterrupt:
            pass
        device.interrupt_at = None
        device.run(BASE, 1, 0)
        assert not device.running and not device.owed and not device.done
    assert device.starts >= 60


def test_an_interrupt_of_the_progress_ends_the_run(device):
    def press(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        device.run(BASE, 1, 0, progress=press)
    assert not device.running and not device.owed


@pytest.mark.parametrize("end", ["stop", "close", "allocate"])
def test_what_another_process_began_is_ended_first(end):
    device = Scripted()
    device.registers["LIMIT"] = 1
    device.running, device.owed = 3, 5
    device.allocate(256) if end == "allocate" else getattr(device, end)()
    assert not device.running and not device.owed
    assert device.log[0] == ("CONTROL", Control.ABORT)


def test_a_reset_in_a_run_is_told_and_made_good(device):
    device.length = 5
    with pytest.raises(DeviceError, match="^device scripted was reset in the midst of a run$"):
        device.run(BASE, 1, 0, progress=lambda _: device.reset_fabric())
    assert device.run(BASE, 1, 0) == 0


def test_a_reset_between_runs_is_told_and_made_good(device):
    device.reset_fabric()
    with pytest.raises(DeviceError, match="stopped: it was reset since its memory was set up"):
        device.run(BASE, 1, 0)
    assert device.run(BASE, 1, 0) == 0
    device.reset_fabric()
    device.recover()
    assert device.run(BASE, 1, 0) == 0


def test_memory_that_owes_answers_keeps_the_device_from_being_used(device):
    def press(_):
        raise KeyboardInterrupt

    device.drain = 1000
    with pytest.raises(KeyboardInterrupt):
        device.run(BASE, 1, 0, progress=press)
    for _ in range(2):
        with pytest.raises(DeviceError, match="does not come to rest: its memory owes it answers"):
            device.run(BASE, 1, 0)
    with pytest.raises(DeviceError, match="does not come to rest"):
        device.allocate(256)
    device.owed, device.drain = 0, 2
    assert device.run(BASE, 1, 0) == 0


def test_both_lines_are_told_where_a_failed_run_does_not_end(device):
    def gone(_):
        device.owed = 1000
        raise DeviceError("no interrupt")

    with pytest.raises(DeviceError, match="^no interrupt; device scripted does not come to rest"):
        device.run(BASE, 1, 0, progress=gone)


def test_the_watchdog_survives_a_reset(device):
    device.watchdog = 777
    device.reset_fabric()
    device.recover()
    assert device.registers["WATCHDOG"] == 777


def test_an_interrupted_emulator_goes_on_with_the_right_token(monkeypatch):
    model = synthetic_model(FAMILIES["relu2 grouped heads"], seed=1)
    session, other = (Session(model, EmulatorDevice(TINY)) for _ in range(2))
    run = session.device.machine.run

    def interrupted(*arguments):
        run(*arguments)
        raise KeyboardInterrupt

    assert session.decode(3).ids.tolist() == other.decode(3).ids.tolist()
    monkeypatch.setattr(session.device.machine, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        session.decode(4)
    monkeypatch.undo()
    assert session.position == 1
    assert session.decode(4).logits.tolist() == other.decode(4).logits.tolist()


def test_a_session_recovers_by_one_call():
    """Descriptors and memory that are damaged: laid out anew, they are right."""
    model = synthetic_model(FAMILIES["relu2 grouped heads"], seed=1)
    session, other = (Session(model, EmulatorDevice(TINY)) for _ in range(2))
    session.decode(3)
    other.decode(3)
    descriptors = session.program.memory["descriptors"]
    session.buffer.array[descriptors:descriptors + session.program.memory.sizes["descriptors"]] = 0xFF
    with pytest.raises(DeviceError, match="device emulator stopped: a bad descriptor: descriptor 0: 15 is not a valid"):
        session.decode(4)
    session.recover()
    assert session.decode(4).logits.tolist() == other.decode(4).logits.tolist()
    session.buffer.array[:] = 0x55
    session.recover(rewrite=True)
    other.reset()
    assert session.position == 0
    assert session.decode(9).logits.tolist() == other.decode(9).logits.tolist()


def test_outside_the_limits_the_emulator_says_so():
    device = EmulatorDevice(TINY)
    buffer = device.allocate(4096)
    device.set("LIMIT", buffer.address // LIMIT_BYTES + 1)
    with pytest.raises(DeviceError, match="device emulator stopped: an access outside BASE to LIMIT"):
        device.run(buffer.address, 0)
    assert device.run(buffer.address, 0) == 0
    assert register("LIMIT").access == "rw"
