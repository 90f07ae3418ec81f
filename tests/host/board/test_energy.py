"""Joules from readings of watts, on a clock of their own."""

import pytest

from host.board import energy
from host.board.energy import EnergyMeter
from host.board.sensors import Sensor


class Steps:
    """A clock that is told the time."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def meter(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "EVERY_S", 1e6)
    path, clock = tmp_path / "power1_input", Steps()
    path.write_text("4000000")
    meter = EnergyMeter(Sensor("ina260", path, 1e-6), clock=clock)
    meter.path, meter.time = path, clock
    yield meter.start()
    meter.stop()


def test_the_area_under_the_readings_is_the_energy(meter):
    assert meter.joules == 0
    meter.time.now, _ = 2.0, meter.path.write_text("6000000")
    assert meter.joules == 10.0 and meter.watts == 6.0
    meter.time.now = 3.0
    assert meter.joules == 16.0


def test_a_reading_that_fails_is_bridged(meter):
    meter.time.now, _ = 1.0, meter.path.write_text("")
    assert meter.joules == 0 and meter.watts is None
    meter.time.now, _ = 2.0, meter.path.write_text("4000000")
    assert meter.joules == 8.0


def test_without_a_sensor_there_is_nothing():
    with EnergyMeter(None) as meter:
        assert meter.joules is None and meter.watts is None


def test_the_thread_reads_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "EVERY_S", 1e-4)
    reads = []

    class Counted(Sensor):
        def read(self):
            reads.append(1)
            return 1.0

    with EnergyMeter(Counted("ina260", tmp_path)) as meter:
        while len(reads) < 5:
            meter._ended.wait(1e-3)
    assert meter.joules > 0
