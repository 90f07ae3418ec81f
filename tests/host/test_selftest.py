"""The self-test on devices that are well, and on fabrics with one unit or line broken."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from host import selftest
from host.bringup.check import Check, State
from models.command import run_command
from models.machine.descriptor import Opcode

QUICK = ["-n", "3", "--context", "64"]


def test_the_emulator_passes_each_line(capsys):
    selftest.main(["--json", *QUICK])
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert [check["name"] for check in found["checks"] if check["state"] == "pass"] == [
        "registers", "register file", "load and store", "data of port 0", "data of port 1", "norm, linear, heads",
        "attention", "residual, norm, linear", "gated product", "head", "top k", "tokens"]
    assert found["checks"][-1]["found"] == "3 tokens of tritloom-demo equal the emulator's"


def test_a_count_that_makes_no_sense_is_one_line(capsys):
    with pytest.raises(SystemExit) as ended:
        run_command(selftest.main, ["-n", "0"])
    assert ended.value.code == 2 and capsys.readouterr().err == "error: -n must be at least 1, got 0\n"


if find_spec("pynq"):
    from tests.host.board.on_board import BUILD, WORD, put_files, use
    from tests.host.board.simulated_board import BufferObject, SimulatedBoard
    from tests.host.board.simulated_fabric import StuckBit


@pytest.fixture
def examine(tmp_path, monkeypatch):
    """The lines of a simulated board with one build word and one thing wrong."""
    if not find_spec("pynq"):
        pytest.skip("pip install 'tritloom[board]' (Python 3.10 to 3.12)")
    put_files(tmp_path, monkeypatch)

    def lines(word: int = WORD, **broken: object) -> list[Check]:
        use(SimulatedBoard(BUILD, word, **broken), monkeypatch)
        return list(selftest.examine(selftest.parser().parse_args(["--device", "pynq", *QUICK])))

    return lines


def failing(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.state == State.FAIL]


def test_a_board_that_is_well_passes_every_line(examine):
    assert {check.state for check in examine()} == {State.PASS}


def test_nothing_runs_in_another_build(examine):
    checks = examine(0xBAD)
    assert failing(checks) == ["bitstream"] and checks[-1].name == "units" and checks[-1].state == State.SKIPPED


@pytest.mark.parametrize(("port", "bit"), [(0, 0), (1, 77), (1, 127)])
def test_a_stuck_data_line_is_named_with_its_port(examine, port, bit):
    line = next(check for check in examine(stuck=StuckBit(port, bit)) if check.state == State.FAIL)
    assert line.name == f"data of port {port}" and line.data["bits"] == [bit]
    assert f"bits {bit} of 128" in line.found and f"HP{port}" in line.fix


def test_a_register_that_loses_a_bit_is_named(examine):
    checks = examine(held={"DESCRIPTORS": 1})
    assert failing(checks)[0] == "register file"
    assert "DESCRIPTORS reads 0x1 after 0x0 was written" in checks[4].found


def test_a_cache_that_is_never_invalidated_is_named(examine, monkeypatch):
    copy = BufferObject.copy
    monkeypatch.setattr(BufferObject, "copy", lambda bo, to_device, size, offset: copy(
        bo, to_device, size if to_device else 0, offset))
    line = next(check for check in examine() if check.state == State.FAIL)
    assert line.name == "load and store" and "64 of 64 words came back wrong" in line.found


@pytest.mark.parametrize(("wrong", "first"), [
    ({Opcode.MATMUL: {"padding": 4}}, "data of port 0"),
    ({Opcode.NORM: {"eps_sum": 0x7FFF_FF00}}, "norm, linear, heads"),
    ({Opcode.KEY: {"scale": 0x0740_0000}}, "norm, linear, heads"),
    ({Opcode.QUERY: {"scale": 0x0740_0000}}, "attention"),
    ({Opcode.ATTEND: {"score_constant": 0x0740_0000}}, "attention"),
    ({Opcode.RESIDUAL: {"scale": 0x0740_0000}}, "residual, norm, linear"),
    ({Opcode.LOGITS: {"vocab": 48}}, "head")], ids=lambda value: "-".join(
        opcode.name for opcode in value) if isinstance(value, dict) else None)
def test_the_first_line_that_fails_names_the_unit(examine, wrong, first):
    assert failing(examine(wrong=wrong))[0] == first
