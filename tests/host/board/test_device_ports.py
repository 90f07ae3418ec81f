"""The board device and the reads that the processor's memory ports have under way."""

import json

import pytest

pytest.importorskip("pynq", reason="pip install 'tritloom[board]' (Python 3.10 to 3.12)")

from host import doctor, generate
from host.board import overlay as board_overlay
from host.board.device import PynqDevice
from host.board.port_reads import READ_REGISTERS
from models.command import run_command
from models.errors import OptionError
from tests.host.board.on_board import BUILD, WORD, put_files, use
from tests.host.board.simulated_board import SimulatedBoard

AS_IT_BOOTS = [7] * 4
COMMAND = ["--device", "pynq", "--prompt", "It was a", "-n", "4", "--temperature", "0", "--json"]


@pytest.fixture
def board(tmp_path, monkeypatch):
    put_files(tmp_path, monkeypatch)
    board = use(SimulatedBoard(BUILD, WORD), monkeypatch)
    board.system |= dict(zip(READ_REGISTERS, AS_IT_BOOTS, strict=True))
    return board


def registers(board):
    return [board.system[address] for address in READ_REGISTERS]


def test_nothing_is_written_where_nothing_is_asked_for(board, monkeypatch):
    written = []
    write = board.write_registers
    monkeypatch.setattr(board, "write_registers", lambda address, data: (written.append(address),
                                                                         write(address, data)))
    device = PynqDevice(BUILD)
    assert device.port_reads.get() == (8, 8)
    device.close()
    assert not set(written) & set(READ_REGISTERS)


def test_the_builds_ports_have_them_until_it_is_closed(board):
    device = PynqDevice(BUILD, port_reads=16)
    assert registers(board) == [15, 15, 7, 7] and device.port_reads.get() == (16, 16)
    device.close()
    assert registers(board) == AS_IT_BOOTS


@pytest.mark.parametrize("reads", [0, 17])
def test_too_many_and_too_few_are_refused(board, reads):
    with pytest.raises(OptionError, match=f"1 to 16 reads under way, not {reads}"):
        PynqDevice(BUILD, port_reads=reads)
    assert registers(board) == AS_IT_BOOTS


def test_a_zynq_7000_has_no_such_registers(board, monkeypatch):
    monkeypatch.setattr(board_overlay.TritloomOverlay, "processing_system", ("xilinx.com:ip:processing_system7", {}))
    assert PynqDevice(BUILD).port_reads is None
    with pytest.raises(OptionError, match="this board's ports have no such register"):
        PynqDevice(BUILD, port_reads=8)


def test_the_commands_ask_for_them(board, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(PynqDevice, "wait", lambda self, *told, wait=PynqDevice.wait: (
        seen.append(registers(board)), wait(self, *told))[1])
    tokens = []
    for extra in ([], ["--port-reads", "12"]):
        generate.main([*COMMAND, *extra])
        tokens.append(json.loads(capsys.readouterr().out)["ids"])
    assert tokens[0] == tokens[1]
    assert AS_IT_BOOTS in seen and [11, 11, 7, 7] in seen


def test_the_doctor_tells_and_measures_with_them(board, capsys):
    with pytest.raises(SystemExit):
        run_command(doctor.main, ["--device", "pynq", "--port-reads", "5", "--json"])
    lines = {line["name"]: line for line in json.loads(capsys.readouterr().out)["checks"]}
    assert "2 ports of 128 bits with 5 reads under way" in lines["memory ports"]["found"]


def test_other_devices_have_none(capsys):
    for command in (generate.main, doctor.main):
        with pytest.raises(SystemExit) as ended:
            run_command(command, ["--port-reads", "8"])
        assert ended.value.code == 2
        assert capsys.readouterr().err == "error: --port-reads belongs to device pynq, not to emulator\n"
