"""A line is measured; `host.doctor` and `host.selftest` on a board behind one."""

from __future__ import annotations

import json

import pytest

from host import doctor, selftest
from host.bringup.check import State
from host.link import device
from host.link.client import Client
from host.link.line_speed import SLOW_MS, measure_line
from tests.host.board.simulated_system import simulated_system
from tests.host.link import modelled_line
from tests.host.link.modelled_line import TO_HOST, Harm, ModelledLine
from tests.host.link.opened import BUILD, CLOCK_MHZ, WORD, new_board

ASKED = ["--device", "serial", "--context", "32"]


@pytest.fixture
def board(tmp_path, monkeypatch):
    """One that any port leads to, with its accel.json in the working directory."""
    found = new_board(memory_bytes=4 << 20, run_s=1e-3)
    content = {"hash": f"{WORD:08x}" + "0" * 56, "clock_mhz": CLOCK_MHZ, "parameters": BUILD.to_json()}
    (tmp_path / "accel.json").write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(device, "Transport", lambda port: ModelledLine(found))
    return found


def test_a_line_is_measured_with_its_damage():
    client = Client(ModelledLine(new_board()))
    line = client.transport
    line.harms = [Harm(TO_HOST, line.passed[TO_HOST] + 10, change=lambda data: bytes((data[0] ^ 1,)) + data[1:])]
    found = measure_line(client)
    assert 1.0 < found.milliseconds < 1.5 < SLOW_MS and found.damaged == 1 and found.dropped == 0


def examined(tmp_path):
    return {check.name: check for check in doctor.examine(doctor.parser().parse_args(ASKED),
                                                          simulated_system(tmp_path / "root"))}


def test_the_doctor_looks_at_the_line_and_finds_the_model_on_the_board(tmp_path, board):
    found = examined(tmp_path)
    assert [name for name, check in found.items() if check.state == State.FAIL] == []
    assert found["clock"].found == "60.00 MHz" and found["bitstream"].found == "build c0ffee42"
    assert found["serial line"].found.startswith("modelled, 1.") and found["weights"].state == State.PASS


@pytest.mark.parametrize("what, line", [
    ("latency", "serial line"), ("word", "bitstream"), ("clock", "clock"), ("silence", "device"),
])
def test_the_doctor_names_what_is_wrong(tmp_path, board, monkeypatch, what, line):
    if what == "latency":
        monkeypatch.setattr(modelled_line, "LATENCY_S", 16e-3)
    elif what == "word":
        board.core.word = 1
    elif what == "clock":
        board.clock_khz = 50_000
    else:
        monkeypatch.setattr(board, "hear", lambda data, start: None)
    found = examined(tmp_path)
    assert [name for name, check in found.items() if check.state == State.FAIL] == [line] and found[line].fix


def test_the_selftest_passes(board, capsys):
    selftest.main([*ASKED, "-n", "2", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] and found["checks"][-1]["found"] == "2 tokens of tritloom-demo equal the emulator's"
