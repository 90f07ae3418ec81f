"""The board device against the real `pynq` package, with the emulator in place of the fabric."""

from __future__ import annotations

import argparse
import types
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pynq", reason="pip install 'tritloom[board]' (Python 3.10 to 3.12)")

import pynq
from pynqutils.setup_utils import ExtensionsManager

from host.bitstream import BITSTREAM_VARIABLE, DESCRIPTION
from host.board import device as board_device
from host.board import overlay as board_overlay
from host.board.device import PynqDevice
from host.board.port_width import WIDTH_REGISTERS
from host.command_line import add_model_options, start_session
from host.devices.emulator import EmulatorDevice
from host.devices.registry import open_device
from host.runtime import Session
from host.stage_options import chosen_stages
from hw.boards.chosen_build import with_settings
from hw.boards.registry import BUILDS
from models.errors import DeviceError
from models.machine.registers import IDENTITY, LIMIT_BYTES, Control, Status, register
from models.synth import synthetic_model
from tests.host.board.on_board import BUILD, TINY, WORD, describe, put_files, use
from tests.host.board.simulated_board import BufferObject, SimulatedBoard, hardware_description
from tests.host.board.simulated_uio import SimulatedUio


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return put_files(tmp_path, monkeypatch)


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> SimulatedBoard:
    """The board that PYNQ finds."""
    return use(SimulatedBoard(BUILD, WORD), monkeypatch)


@pytest.fixture
def uio(board: SimulatedBoard, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SimulatedUio:
    """The board's interrupt, as the kernel gives it; "dead": it never fires."""
    found = SimulatedUio(lambda: bool(board.fabric.get("STATUS") & Status.DONE),
                         dead=getattr(request, "param", "") == "dead")
    monkeypatch.setattr(board_overlay, "get_uio_irq", {121: found.path}.get)
    return found


def generate(session: Session, prompt: list[int], count: int) -> tuple[list[int], list[np.ndarray]]:
    """Greedy ids, and the logits of every list of best tokens."""
    top, ids, logits = session.prefill(prompt), [], []
    for _ in range(count):
        ids.append(int(top.ids[0]))
        logits.append(top.logits)
        top = session.decode(ids[-1])
    return ids, logits


@pytest.mark.parametrize("ranged", [False, True], ids=["PYNQ's slices", "XRT's ranges"])
def test_a_session_gives_the_emulators_tokens(files, board, monkeypatch, ranged):
    if ranged:
        directions = types.SimpleNamespace(XCL_BO_SYNC_BO_TO_DEVICE="to device",
                                           XCL_BO_SYNC_BO_FROM_DEVICE="from device")
        xrt = types.SimpleNamespace(bo=BufferObject, xclBOSyncDirection=directions)
        monkeypatch.setattr(board_overlay, "pyxrt", xrt)
    model, prompt = synthetic_model(TINY, seed=3), [7, 60, 0, 13, 22]
    expected = Session(model, EmulatorDevice(BUILD))
    found = Session(model, open_device("pynq", BUILD))
    ids, logits = generate(expected, prompt, 8)
    board_ids, board_logits = generate(found, prompt, 8)
    assert board_ids == ids
    assert np.array_equal(board_logits, logits)
    assert len(set(ids)) > 1  # a model that says one word over would hide lost writes
    for name, cached in expected.cache(1).items():
        assert np.array_equal(found.cache(1)[name], cached)
    assert board.downloads == [str(files / "tritloom.bit")]
    assert bool(board.ranged_syncs) == ranged


def test_a_chosen_build_runs_by_the_description_beside_its_bitstream(files, monkeypatch):
    build = with_settings(BUILD, ["weight_buffer_steps=128", "top_k=8"])
    describe(files, parameters=build.to_json())
    use(SimulatedBoard(build, WORD), monkeypatch)
    parser = argparse.ArgumentParser()
    add_model_options(parser)
    model, prompt = synthetic_model(TINY, seed=3), [7, 60, 0, 13]
    expected, _ = generate(Session(model, EmulatorDevice(build)), prompt, 4)
    for named in ([], ["--build", str(files / DESCRIPTION)]):
        options = parser.parse_args(["--device", "pynq", *named])
        session = start_session(options, model, chosen_stages(options, model), progress=False)
        assert session.device.build == build and generate(session, prompt, 4)[0] == expected
    with pytest.raises(DeviceError, match="weight_buffer_steps is 128, but board sim-tiny has 256"):
        PynqDevice(BUILD)


def test_scores_equal_the_emulators(files, board):
    model, ids = synthetic_model(TINY, seed=4), list(range(9, 20))
    found = Session(model, PynqDevice(BUILD))
    assert np.array_equal(found.score(ids), Session(model, EmulatorDevice(BUILD)).score(ids))


def test_a_token_syncs_only_what_it_moves(files, board):
    session = Session(synthetic_model(TINY, seed=3), PynqDevice(BUILD))
    session.prefill([1, 2])
    board.synced.clear()
    session.decode(3)
    assert {kind for kind, _, _ in board.synced} == {"flush", "invalidate"}
    assert sum(size for _, _, size in board.synced) < session.program.size / 4


def test_memory_is_zeroed_and_at_the_boards_address(files, board):
    buffer = PynqDevice(BUILD).allocate(5000)
    assert type(buffer.array) is np.ndarray and buffer.array.shape == (5000,) and not buffer.array.any()
    assert buffer.address == 0x1_0000_0000 and buffer.address % 4096 == 0


def test_memory_that_does_not_fit_is_one_line(files, board):
    board.free_memory = 1 << 20
    with pytest.raises(DeviceError, match=r"^no 2 MiB of contiguous memory .*cma="):
        PynqDevice(BUILD).allocate(2 << 20)


def test_numpy_integers_reach_the_registers(files, board):
    device = PynqDevice(BUILD)
    device.write_register(register("POSITION").offset, np.int64(17))
    assert board.fabric.get("POSITION") == 17 == device.get("POSITION")


def test_the_hardware_watchdog_is_set(files, board):
    PynqDevice(BUILD)
    assert board.fabric.get("WATCHDOG") == pytest.approx(BUILD.clock_mhz * 1e6, rel=1e-3)


def test_counters_begin_anew_with_each_buffer(files, board):
    device = PynqDevice(BUILD)
    board.written.clear()
    device.allocate(4096)
    assert board.written[-1] == ("CONTROL", Control.CLEAR)


def test_what_a_reset_loses_is_written_again(files, board):
    device = PynqDevice(BUILD)
    device.allocate(4096)
    board.fabric._registers |= {"BASE": 0, "LIMIT": 0, "WATCHDOG": 0}
    device.recover()
    assert board.fabric.get("LIMIT") > board.fabric.get("BASE") > 0 and board.fabric.get("WATCHDOG") > 0


def test_unchecked_it_says_what_is_wrong_when_asked(files, monkeypatch):
    use(SimulatedBoard(BUILD, 0xBAD, stuck_divisor=5), monkeypatch)
    device = PynqDevice(BUILD, checked=False)
    with pytest.raises(DeviceError, match="300.0 MHz"):
        device.check_clock()
    with pytest.raises(DeviceError, match="is build 00000bad"):
        device.check_build()
    device.check_ports()


def test_a_bad_program_is_reported(files, board):
    device = PynqDevice(BUILD)
    buffer = device.allocate(4096)
    buffer.array[:] = 0xFF
    device.flush(buffer, 0, 4096)
    with pytest.raises(DeviceError, match="device pynq stopped: a bad descriptor"):
        device.run(buffer.address, 1, 0)


def test_a_run_without_end_is_given_up(files, board, monkeypatch):
    monkeypatch.setattr(board_device, "RUN_LIMIT_S", 0.02)
    device, told = PynqDevice(BUILD), []
    board.fabric._registers["STATUS"] = Status.BUSY
    with pytest.raises(DeviceError, match="did not finish a run"):
        device.wait(told.append)
    assert told and told == sorted(told) and told[-1] > 0


def test_close_leaves_the_buffer_readable(files, board):
    device = PynqDevice(BUILD)
    buffer = device.allocate(64)
    device.close()
    assert not buffer.array.any()


@pytest.mark.parametrize("name", ["tritloom.bit", "tritloom.hwh", "accel.json"])
def test_a_missing_file_is_named(files, board, name):
    (files / name).unlink()
    with pytest.raises(DeviceError, match=name):
        open_device("pynq", BUILD)


def test_the_default_bitstream_is_in_the_working_directory(files, board, monkeypatch):
    monkeypatch.delenv(BITSTREAM_VARIABLE)
    monkeypatch.chdir(files)
    PynqDevice(BUILD)
    assert board.downloads == [str(files / "tritloom.bit")]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"parameters": 3, "hash": "00", "clock_mhz": 1}',
                                  '{"parameters": {}, "hash": "xyz", "clock_mhz": 1}'])
def test_a_damaged_description_is_one_line(files, board, text):
    (files / "accel.json").write_text(text)
    with pytest.raises(DeviceError, match="accel.json is not the description of a build"):
        PynqDevice(BUILD)


def test_another_boards_bitstream_is_refused(files, board):
    describe(files, parameters=BUILDS["kv260"].to_json())
    with pytest.raises(DeviceError, match="name is 'kv260', but board sim-tiny"):
        PynqDevice(BUILD)


def test_an_accel_json_of_another_build_is_refused(files, board):
    describe(files, hash="c0ffee43")
    with pytest.raises(DeviceError, match="is build c0ffee42, but accel.json beside it describes c0ffee43"):
        PynqDevice(BUILD)


def test_another_design_is_refused(files, board):
    (files / "tritloom.hwh").write_text(hardware_description(BUILD.clock_mhz, cell="blinker",
                                                                    vlnv="xilinx.com:module_ref:blinker:1.0"))
    with pytest.raises(DeviceError, match="has no Tritloom accelerator .*; it has .*blinker"):
        PynqDevice(BUILD)


def test_no_board_is_one_line(files, monkeypatch):
    monkeypatch.delattr(pynq.Device, "_active_device", raising=False)
    monkeypatch.setattr(pynq.Device, "_devices", [], raising=False)
    with pytest.raises(DeviceError, match="^no board: .*no devices found"):
        open_device("pynq", BUILD)


def test_the_overlay_sets_the_builds_clock(files, board):
    board_mhz = PynqDevice(BUILD).clock_mhz
    assert board_mhz == pytest.approx(BUILD.clock_mhz, rel=1e-3) == pynq.Clocks.fclk0_mhz


def test_a_slow_clock_warns_and_a_fast_one_is_refused(files, monkeypatch):
    use(SimulatedBoard(BUILD, WORD, stuck_divisor=15), monkeypatch)
    with pytest.warns(RuntimeWarning, match="runs at 100.0 MHz instead of 250.0 MHz"):
        assert PynqDevice(BUILD).clock_mhz == pytest.approx(100, rel=1e-3)
    use(SimulatedBoard(BUILD, WORD, stuck_divisor=5), monkeypatch)
    with pytest.raises(DeviceError, match="runs at 300.0 MHz, but its timing was met at 250.0 MHz"):
        PynqDevice(BUILD)


def test_pynq_binds_the_driver_and_finds_bitstream_and_notebooks(files, board):
    overlay = pynq.Overlay(str(files / "tritloom.bit"), device=board)
    assert type(overlay.tritloom).__name__ == "TritloomIP" and overlay.tritloom.get("ID") == IDENTITY
    found = {point.group: point.value for point in distribution("tritloom").entry_points if point.group[:5] == "pynq."}
    assert found == {"pynq.lib": "host.board.overlay", "pynq.overlays": "host.board.overlays",
                     "pynq.notebooks": "tritloom.notebooks"}
    for group in ("pynq.overlays", "pynq.notebooks"):  # PYNQ takes folders, and imports those of pynq.lib
        folders = {point.name: folder for point, folder in zip(ExtensionsManager(group).list,
                                                               ExtensionsManager(group).paths, strict=True)}
        assert Path(folders["tritloom"]).is_dir()


def test_a_token_takes_four_register_accesses(files, board, uio):
    session = Session(synthetic_model(TINY, seed=3), PynqDevice(BUILD))
    session.prefill([1, 2])
    session.decode(3)
    assert session.device.interrupt is not None
    for token in (4, 5):
        board.accesses.clear()
        session.decode(token)
        assert board.accesses == [("write", "POSITION"), ("write", "CONTROL"), ("read", "STATUS"),
                                  ("read", "CYCLES_LOW")]
    assert session.counters.cycles > 0 and session.counters.zeros == 0
    session.counts_zeros = True
    session.decode(6)
    assert session.counters.activations > 0


def test_without_an_interrupt_status_is_polled(files, board):
    device = PynqDevice(BUILD)
    assert device.interrupt is None
    session = Session(synthetic_model(TINY, seed=3), device)
    session.prefill([1, 2])
    board.accesses.clear()
    session.decode(3)
    assert len(board.accesses) == 5  # the program changes from prefill to decode


@pytest.mark.parametrize("uio", ["dead"], indirect=True)
def test_an_interrupt_that_never_fires_is_given_up(files, board, uio, monkeypatch):
    monkeypatch.setattr(board_device, "INTERRUPT_S", 0.01)
    session = Session(synthetic_model(TINY, seed=3), PynqDevice(BUILD))
    with pytest.warns(RuntimeWarning, match="never fires: STATUS is polled from now on"):
        session.prefill([1, 2])
        session.decode(3)
        session.decode(4)
    assert session.device.interrupt is None and uio.arms == 3
    session.decode(5)


def test_a_device_file_that_is_not_there_is_a_warning(files, board, monkeypatch):
    monkeypatch.setattr(board_overlay, "get_uio_irq", lambda number: "/dev/none")
    with pytest.warns(RuntimeWarning, match="no interrupt, STATUS is polled: .*/dev/none"):
        assert PynqDevice(BUILD).interrupt is None


def test_the_fabric_may_touch_the_buffer_alone(files, board):
    buffer = PynqDevice(BUILD).allocate(5000)
    assert board.fabric.get("BASE") * LIMIT_BYTES == buffer.address
    assert board.fabric.get("LIMIT") * LIMIT_BYTES == buffer.address + 5120


@pytest.mark.parametrize("widths", [True, False], ids=["described", "not described"])
def test_a_narrow_port_is_refused(files, board, widths):
    (files / "tritloom.hwh").write_text(hardware_description(BUILD.clock_mhz, widths=widths))
    board.system[WIDTH_REGISTERS["HP0", "read"]] = 0xF001
    with pytest.raises(DeviceError, match="^port HP0 has 64 bits to read, and the design 128: "):
        PynqDevice(BUILD)


def test_a_port_that_the_build_has_not_may_have_any_width(files, board):
    board.system[WIDTH_REGISTERS["HP3", "write"]] = 2
    assert PynqDevice(BUILD).clock_mhz == pytest.approx(BUILD.clock_mhz, rel=1e-3)  # it was opened
