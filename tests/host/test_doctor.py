"""The doctor on devices that are well, and on boards broken on purpose, one break at a time."""

from __future__ import annotations

import json
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from host import doctor
from host.bringup import running, system
from host.bringup.check import Check, State
from models.command import run_command
from tests.host.board.simulated_system import put_sensor, simulated_system

LIGHT = ["--context", "64"]


def failing(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.state == State.FAIL]


def test_the_emulator_is_well_and_says_what_it_is_not_asked(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        doctor.main(["--json", *LIGHT], simulated_system(tmp_path, governor="schedutil"))
    found = json.loads(capsys.readouterr().out)
    states = {check["name"]: check["state"] for check in found["checks"]}
    assert ended.value.code == 1 and not found["ok"] and list(states)[0] == "clock"
    assert [name for name, state in states.items() if state == "fail"] == ["CPU governor"]
    assert states["weights"] == "pass" and states["clock"] == states["bandwidth"] == "skipped"
    assert all(check["fix"] for check in found["checks"] if check["state"] == "fail")


def test_lines_are_printed_with_their_fix(tmp_path, capsys):
    doctor.main(LIGHT, simulated_system(tmp_path))
    out = capsys.readouterr().out
    assert "pass    weights" in out and " passed, 0 failed, " in out.splitlines()[-1]
    with pytest.raises(SystemExit):
        doctor.main(LIGHT, simulated_system(tmp_path, governor="powersave"))
    assert "fail    CPU governor           powersave\n" in (out := capsys.readouterr().out)
    assert "-> echo performance | sudo tee" in out


def test_a_model_that_does_not_fit_is_a_line(tmp_path):
    checks = list(doctor.examine(doctor.parser().parse_args(["--model", "no/such"]), simulated_system(tmp_path)))
    assert failing(checks) == ["model"] and checks[-1].state == State.SKIPPED


def test_an_option_that_makes_no_sense_is_status_2(capsys):
    with pytest.raises(SystemExit) as ended:
        run_command(doctor.main, ["--board", "none"])
    assert ended.value.code == 2 and capsys.readouterr().err.startswith("error: unknown board")


if find_spec("pynq"):
    from host.board.port_width import WIDTH_REGISTERS
    from tests.host.board.on_board import BUILD, WORD, put_files, use
    from tests.host.board.simulated_board import BufferObject, SimulatedBoard
board_only = pytest.mark.skipif(not find_spec("pynq"), reason="pip install 'tritloom[board]' (Python 3.10 to 3.12)")


class Bench:
    """A simulated board with its system, to be broken before it is examined."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.root, self.patch = simulated_system(folder / "root"), monkeypatch
        monkeypatch.setattr(running, "_READ_BYTES", 1 << 16)  # the emulator computes what the fabric streams
        self.board(WORD)

    def board(self, word: int, **options: object) -> SimulatedBoard:
        self.there = use(SimulatedBoard(BUILD, word, **options), self.patch)
        return self.there

    def examine(self) -> dict[str, Check]:
        options = doctor.parser().parse_args(["--device", "pynq", *LIGHT])
        return {check.name: check for check in doctor.examine(options, self.root)}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    put_files(tmp_path, monkeypatch)
    return Bench(tmp_path, monkeypatch)


@board_only
def test_a_board_that_is_well_passes_every_line(bench):
    found = bench.examine()
    assert {name: check.state for name, check in found.items()} == dict.fromkeys(found, State.PASS)
    assert list(found) == ["clock", "registers", "bitstream", "memory ports", "image", "kernel", "PYNQ", "XRT",
                           "CPU governor", "busy cores", "temperature", "fan", "power", "model", "contiguous memory",
                           "addresses", "weights", "bandwidth of port 0", "bandwidth of port 1",
                           "bandwidth, placements"]
    assert "on ZynqMP SMK-K26" in found["image"].found and "4.83 W (ina260_u14)" in found["power"].found


def fast_clock(bench):
    bench.board(WORD, stuck_divisor=5)


def slow_clock(bench):
    bench.board(WORD, stuck_divisor=15)


def another_design(bench):
    bench.there.fabric._registers["ID"] = 0x1234


def another_build(bench):
    bench.board(0xBAD)


def narrow_port(bench):
    bench.there.system[WIDTH_REGISTERS["HP1", "read"]] = 1


def slow_port(bench):
    bench.board(WORD, rates=(1, 0.5))


def slow_memory(bench):
    bench.board(WORD, rates=(0.5, 0.5))


def bad_placement(bench):
    bench.board(WORD, crossing=1024)


def small_pool(bench):
    simulated_system(bench.root, cma_total_kib=1024, cma_free_kib=1024)


def full_pool(bench):
    simulated_system(bench.root, cma_free_kib=512)


def no_memory(bench):
    bench.there.free_memory = 1 << 16


def stuck_limit(bench):
    bench.board(WORD, held={"LIMIT": 0x0FFF_FFFF})


def lost_flush(bench):
    copy = BufferObject.copy
    bench.patch.setattr(BufferObject, "copy", lambda bo, to_device, size, offset: copy(
        bo, to_device, size // 2 if to_device and size > 1 << 20 else size, offset))


def no_module(bench):
    (bench.root / "proc/modules").write_text("")
    (bench.root / "sys/module/zocl/version").unlink()


def old_pynq(bench):
    bench.patch.setattr(system, "version", lambda name: "2.7.0")


def slow_governor(bench):
    simulated_system(bench.root, governor="powersave")


def busy_core(bench):
    path = bench.root / "proc/stat"
    later = path.read_text().replace("cpu0 100 0 100 1000", "cpu0 100 0 100 1200").replace("cpu1 100", "cpu1 300")
    bench.patch.setattr(time, "sleep",
                        lambda seconds: path.write_text(later) if seconds == system._SAMPLE_S else None)


def hot_chip(bench):
    put_sensor(bench.root, 1, "ams", temp1_input=91_000)


def still_fan(bench):
    put_sensor(bench.root, 2, "pwmfan", fan1_input=0)


def dead_sensor(bench):
    (bench.root / "sys/class/hwmon/hwmon0/power1_input").write_text("")


ALL_SKIPPED = {"addresses", "weights", "bandwidth"}


@board_only
@pytest.mark.parametrize(("broken", "name", "found", "fix", "skips"), [
    (fast_clock, "clock", "runs at 300.0 MHz", "restart the board",
     {"registers", "bitstream", "memory ports", *ALL_SKIPPED}),
    (slow_clock, "clock", "runs at 100.0 MHz", "restart the board",
     {"registers", "bitstream", "memory ports", *ALL_SKIPPED}),
    (another_design, "registers", "ID register reads 0x1234", "accel.json anew",
     {"bitstream", "memory ports", *ALL_SKIPPED}),
    (another_build, "bitstream", "is build 00000bad", "accel.json anew", {"memory ports", *ALL_SKIPPED}),
    (narrow_port, "memory ports", "HP1 has 64 bits to read", "accel.json anew", ALL_SKIPPED),
    (slow_port, "bandwidth of port 1", "2.00 GB/s", "port HP1", set()),
    (bad_placement, "bandwidth, placements", "4.00 GB/s with ports 16384 bytes apart", "12288 bytes apart", set()),
    (small_pool, "contiguous memory", "of 1 MiB free", "put cma=", set()),
    (full_pool, "contiguous memory", "0 of 1000 MiB free", "end the other programs", set()),
    (no_memory, "addresses", "MiB of contiguous memory", "line of contiguous memory", {"weights", "bandwidth"}),
    (stuck_limit, "addresses", "to 0xfffffff00", "load the bitstream anew", set()),
    (lost_flush, "weights", "differ from the file", "flush of the cache", set()),
    (no_module, "XRT", "zocl is not loaded", "pynq_venv.sh", set()),
    (old_pynq, "PYNQ", "2.7.0", "3.0, 3.1, 4.0", set()),
    (slow_governor, "CPU governor", "powersave", "echo performance", set()),
    (busy_core, "busy cores", "cpu0 0%, cpu1 100%", "see with top", set()),
    (hot_chip, "temperature", "91 °C (ams)", "see to the fan", set()),
    (still_fan, "fan", "pwmfan stands still", "connected", set()),
    (dead_sensor, "power", "ina260_u14 does not answer", "ina2xx", set())], ids=lambda value: getattr(
        value, "__name__", ""))
def test_each_break_fails_in_its_line(bench, broken, name, found, fix, skips):
    broken(bench)
    checks = bench.examine()
    assert failing(list(checks.values())) == [name]
    assert found in checks[name].found and fix in checks[name].fix
    assert {check.name for check in checks.values() if check.state == State.SKIPPED} == skips


@board_only
def test_a_memory_that_is_slow_everywhere_fails_at_each_port(bench):
    slow_memory(bench)
    checks = bench.examine()
    assert failing(list(checks.values())) == ["bandwidth of port 0", "bandwidth of port 1"]


@board_only
def test_without_a_sensor_power_is_not_told(bench):
    (bench.root / "sys/class/hwmon/hwmon0/name").write_text("other\n")
    assert bench.examine()["power"].state == State.SKIPPED


@board_only
def test_without_a_board_one_line_says_so(tmp_path, monkeypatch):
    import pynq

    put_files(tmp_path, monkeypatch)
    monkeypatch.delattr(pynq.Device, "_active_device", raising=False)
    monkeypatch.setattr(pynq.Device, "_devices", [], raising=False)
    options = doctor.parser().parse_args(["--device", "pynq"])
    checks = list(doctor.examine(options, simulated_system(tmp_path / "root")))
    assert failing(checks) == ["device"] and "no board" in checks[0].found
