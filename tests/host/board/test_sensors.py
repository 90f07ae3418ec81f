"""Sensors found by name, and what is made of those that do not answer."""

from pathlib import Path

from host.board.sensors import Sensor, fans, power_sensor, temperatures
from tests.host.board.simulated_system import put_sensor, simulated_system


def test_power_temperature_and_fan_are_found_by_name(tmp_path):
    root = simulated_system(tmp_path)
    assert power_sensor(root).name == "ina260_u14" and power_sensor(root).read() == 4.83
    assert [(sensor.name, sensor.read()) for sensor in temperatures(root)] == [("ams", 51.0)]
    assert [(sensor.name, sensor.read()) for sensor in fans(root)] == [("pwmfan", 2100.0)]


def test_the_modules_own_meter_comes_first_and_another_ina260_does(tmp_path):
    put_sensor(tmp_path, 0, "ina226", power1_input=1)
    assert power_sensor(tmp_path) is None
    put_sensor(tmp_path, 3, "ina260", power1_input=2_000_000)
    assert power_sensor(tmp_path).read() == 2.0
    put_sensor(tmp_path, 4, "ina260_u14", power1_input=3_000_000)
    assert power_sensor(tmp_path).read() == 3.0


def test_nothing_is_found_where_there_is_nothing(tmp_path):
    assert power_sensor(tmp_path) is None and temperatures(tmp_path) == fans(tmp_path) == []


def test_a_sensor_that_does_not_answer_reads_nothing(tmp_path):
    assert Sensor("gone", tmp_path / "gone").read() is None
    (tmp_path / "empty").write_text("")
    assert Sensor("empty", Path(tmp_path / "empty")).read() is None
