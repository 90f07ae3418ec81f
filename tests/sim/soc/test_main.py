"""The command: a simulated board behind a socket, on which `host.generate` runs as on the board."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from host import generate
from models.command import run_command
from models.errors import OptionError
from models.synth import main as synth
from sim.soc import __main__ as command
from tests.sim.soc.boards import BUILD, TINY


@pytest.mark.slow
def test_generate_gives_the_emulators_ids(tmp_path, monkeypatch, capsys):
    model = tmp_path / "model"
    monkeypatch.setattr("models.synth.PRESETS", {"tiny": TINY})
    synth(["--preset", "tiny", "-o", str(model), "--seed", "4"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRITLOOM_LINK_PATIENCE", "60")
    capsys.readouterr()
    asked = ["--model", str(model), "--ids", "3,1,2", "-n", "3", "--temperature", "0", "--json"]
    run_command(generate.main, [*asked, "--board", BUILD.name])
    expected = json.loads(capsys.readouterr().out)
    arguments = [sys.executable, "-m", "sim.soc", "--board", BUILD.name, "--memory", "memory",
                 "--describe", "accel.json"]
    uploads = []
    for _ in range(2):
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as board:
            url = board.stdout.readline().strip()
            run_command(generate.main, [*asked, "--device", "serial", "--serial-port", url])
            found = json.loads(capsys.readouterr().out)
            board.terminate()
        assert found["ids"] == expected["ids"]
        uploads.append((tmp_path / "memory").read_bytes()[:4096])
    assert uploads[0] == uploads[1] != bytes(4096)


def test_what_is_refused():
    for arguments, message in ((["--turnaround-us", "-1"], "--turnaround-us must not be negative"),
                               (["--context", "9"], "--context is that of --model")):
        with pytest.raises(OptionError, match=message):
            command.main(arguments)
