"""What the memory figures are made of, and the command on the shipped model."""

import json
import sys

import pytest

from host.compiler.memory_map import KVLayout
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from hw.boards.registry import board_build
from models.checkpoint import load_model
from models.command import run_command
from models.synth import synthetic_model
from scripts.peers import measure_memory
from scripts.peers.measure_memory import cache_bytes, report, resident
from tests.families import FAMILIES

STATUS = """Name:\tpython
VmPeak:\t  999999 kB
VmHWM:\t     300 kB
VmRSS:\t     280 kB
RssAnon:\t     100 kB
RssFile:\t     170 kB
RssShmem:\t      10 kB
Threads:\t2
"""


def test_resident_memory_is_read_from_linux_s_status():
    assert resident(STATUS.splitlines(keepends=True)) == {
        "peak": 300 * 1024, "resident": 280 * 1024, "anonymous": 100 * 1024, "mapped_files": 170 * 1024,
        "shared": 10 * 1024}


@pytest.mark.parametrize("name", list(FAMILIES))
def test_the_cache_is_what_the_program_lays_out(name):
    config, build = FAMILIES[name], board_build("sim-tiny")
    session = Session(synthetic_model(config), EmulatorDevice(build))
    layout, sizes = KVLayout.of(config, build), session.program.memory.sizes
    assert cache_bytes(layout, config.layers) == sum(sizes[f"{layer}.kv"] for layer in range(config.layers))
    session.prefill([1, 2, 3])
    held = sum(array.shape[0] * 3 * (layout.row_bytes if name in ("keys", "values") else 4)
               for layer in range(config.layers) for name, array in session.cache(layer).items())
    assert cache_bytes(layout, config.layers, 3) == held
    assert cache_bytes(layout, config.layers, config.context) <= cache_bytes(layout, config.layers)


def test_the_report_compares_with_file_and_cache():
    memory = {"resident": 390, "peak": 780, "file": 200, "cache": 530, "cache_in_use": 10}
    found = report(memory, [3.0, 1.0, 2.0])
    assert (found["ratio"], found["peak_ratio"], found["context_ratio"]) == (1.5, 3.0, 0.5)
    assert (found["first_token_s"], found["first_token_best_s"]) == (2.0, 1.0)
    assert found["resident_bytes"] == 390


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_command_on_the_shipped_model(capsys):
    run_command(measure_memory.main, ["-n", "3", "--repeats", "1", "--threads", "1", "--context", "64", "--json"])
    found = json.loads(capsys.readouterr().out)
    parts = sum(found[f"{name}_bytes"] for name in ("anonymous", "mapped_files", "shared"))
    assert parts == found["resident_bytes"] <= found["peak_bytes"]
    demo = load_model("demo")
    assert found["file_bytes"] == (demo.folder / "model.safetensors").stat().st_size
    assert found["cache_in_use_bytes"] < found["cache_bytes"]
    assert len(found["first_tokens_s"]) == 1 and found["first_token_s"] > 0


def test_bad_input_is_one_line_and_status_2(capsys):
    for arguments, message in ((["--model", "no/such/model"], "no model folder at no/such/model"),
                               (["--repeats", "0"], "--repeats must be at least 1"),
                               (["-n", "100000"], "8 tokens and 100000 new ones exceed the context")):
        with pytest.raises(SystemExit) as exit_:
            run_command(measure_memory.main, arguments)
        captured = capsys.readouterr()
        assert exit_.value.code == 2 and not captured.out
        assert captured.err.strip().splitlines()[-1].startswith("error: ") and message in captured.err
