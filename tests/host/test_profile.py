"""What --profile says: the sums of the engines' counters over a session's runs."""

import json

import pytest

from host import generate
from host.devices.emulator import EmulatorDevice
from host.profile import profile_json, profile_lines
from host.runtime import Session
from hw.boards.registry import BUILDS
from models.checkpoint import load_model
from models.command import run_command
from models.machine.descriptor import Engine
from models.machine.registers import register

BUSY = {engine: 10 * (engine + 1) for engine in Engine}
COUNTED = {register("CYCLES_LOW").offset: 100} | {
    register(f"BUSY_{engine.name}").offset: cycles for engine, cycles in BUSY.items()}


class CountingDevice(EmulatorDevice):
    """Emulates; every run takes 100 cycles, and its engines so many of them as `BUSY` says."""

    def read_register(self, offset):
        return COUNTED.get(offset, super().read_register(offset))


@pytest.fixture
def session():
    session = Session(load_model("demo"), CountingDevice(BUILDS["sim-tiny"]))
    session.decode(5)
    return session


def test_runs_add_up_from_when_it_is_asked_for(session):
    assert session.counters.busy is None
    session.profile()
    for token in (7, 9):
        session.decode(token)
    assert session.counters.busy == {engine: 2 * cycles for engine, cycles in BUSY.items()}
    assert profile_json(session) == {
        "cycles": 300, "clock_mhz": 250,
        "busy": {"fetch": 20, "load": 40, "linear": 60, "vector": 80, "attend": 100, "head": 120}}
    lines = profile_lines(session, 3)
    assert lines[0] == "300 cycles, 0.4 µs a token at 250 MHz; engines work side by side:"
    assert lines[3].split() == ["linear", "60", "cycles", "at", "work", "20.00", "%"]


def test_the_command_prints_it(session, monkeypatch, capsys):
    monkeypatch.setattr("host.command_line.open_device", lambda name, build, **_: CountingDevice(build))
    arguments = ["--device", "rtl", "--prompt", "It was", "-n", "2", "--temperature", "0", "--profile"]
    generate.main(arguments)
    assert "cycles at work" in capsys.readouterr().err
    generate.main([*arguments, "--json"])
    found = json.loads(capsys.readouterr().out)["profile"]
    assert found["busy"]["head"] == 60 * found["cycles"] // 100 and found["clock_mhz"] == 250


def test_the_emulator_counts_none(capsys):
    with pytest.raises(SystemExit) as end:
        run_command(generate.main, ["--profile"])
    assert end.value.code == 2 and "--profile belongs to devices that count cycles" in capsys.readouterr().err
