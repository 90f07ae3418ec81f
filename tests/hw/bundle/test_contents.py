"""The bundle: what it holds, installed from the archive alone, and a chat on the simulated board."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

import pytest

from hw.boards.registry import BOARDS, BUILDS
from hw.build import write_build
from hw.bundle.contents import write_bundle
from models.errors import BuildError
from models.store.naming import model_folder
from tests.hw.bundle.bit_files import bit_file
from tests.hw.bundle.board_at_hand import VARIABLE, sitecustomize

KV260, BUILD = BOARDS["kv260"], BUILDS["kv260"]
HASH = "c0ffee42" + "0" * 56
WHEEL = "tritloom-1-py3-none-any.whl", b"no wheel"
ALWAYS = {"SHA256SUMS", "accel.json", "constraints.txt", "install.sh", "tritloom.service", "tritloom.sh",
          "model/model.json", "model/model.safetensors", "model/tokenizer.json", "model/chat.json"}
TURNS = "Who are you?\nAnd then?\n"


def write_folder(folder: Path, board: str = "kv260", *, bitstream: bool = True) -> None:
    """What hw.build and Vivado leave, with a Verilog of no content."""
    write_build(BUILDS[board], folder, lambda build: ("module tritloom();", HASH))
    if bitstream:
        (folder / "tritloom.bit").write_bytes(bit_file())
        (folder / "tritloom.hwh").write_text("<EDKSYSTEM/>")
        description = json.loads((folder / "accel.json").read_text()) | {"vivado": {"version": "2024.1"}}
        (folder / "accel.json").write_text(json.dumps(description))


def members(archive: Path) -> set[str]:
    with tarfile.open(archive) as content:
        return {name.partition("/")[2] for name in content.getnames()}


def bundle(folder: Path, board: str = "kv260") -> tuple[Path, list[str]]:
    return write_bundle(folder, BOARDS[board], BUILDS[board], model_folder("chat"), lambda: WHEEL)


def test_it_holds_all_that_a_board_needs(tmp_path):
    write_folder(tmp_path)
    archive, missing = bundle(tmp_path)
    assert archive == tmp_path / "tritloom-kv260.tar.gz" and missing == []
    assert members(archive) == ALWAYS | {WHEEL[0], "tritloom.bit", "tritloom.hwh", "xmutil/tritloom.dtso",
                                         "xmutil/shell.json", "xmutil/tritloom.bit.bin"}
    first = archive.read_bytes()
    assert bundle(tmp_path)[0].read_bytes() == first


def test_without_a_bitstream_it_holds_the_rest(tmp_path):
    write_folder(tmp_path, bitstream=False)
    archive, missing = bundle(tmp_path)
    assert missing == ["tritloom.bit", "tritloom.hwh"]
    assert members(archive) == ALWAYS | {WHEEL[0], "xmutil/tritloom.dtso", "xmutil/shell.json"}
    (tmp_path / "tritloom.bit").write_bytes(bit_file())
    assert bundle(tmp_path)[1] == ["tritloom.hwh"]


def test_a_bitstream_of_another_build_is_left_out(tmp_path):
    write_folder(tmp_path)
    write_build(BUILD, tmp_path, lambda build: ("module tritloom(); // new", "1" * 64))
    archive, missing = bundle(tmp_path)
    assert missing == ["tritloom.bit", "tritloom.hwh"] and "tritloom.bit" not in members(archive)


def test_a_board_without_xmutil(tmp_path):
    write_folder(tmp_path, "arty_z7")
    assert members(bundle(tmp_path, "arty_z7")[0]) == ALWAYS | {WHEEL[0], "tritloom.bit", "tritloom.hwh"}


def test_a_damaged_bitstream_is_one_line(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "tritloom.bit").write_bytes(bit_file()[:-4])
    with pytest.raises(BuildError, match=f"^{tmp_path}/tritloom.bit: the bitstream is damaged or cut short$"):
        bundle(tmp_path)


# installed from the archive alone


def fresh(home: Path) -> Path:
    """The Python of an environment without anything, which finds what the running one depends on."""
    venv.create(home, with_pip=False, symlinks=True)
    site = next(home.glob("lib/python*/site-packages"))
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site / "dependencies.pth").write_text("".join(f"{path}\n" for path in paths))
    (site / "sitecustomize.py").write_text(sitecustomize())
    return home / "bin" / "python"


def run(python: Path, *command: object, turns: str = "", **variables: object) -> subprocess.CompletedProcess[str]:
    """Away from the repository, with nothing of it in the environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}
    return subprocess.run(list(map(str, command)), cwd=python.parent, capture_output=True, text=True, input=turns,
                          env=environment | {name: str(value) for name, value in variables.items()})


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """The archive in a folder of its own. Its bitstream is one that the simulated board takes, where there is PYNQ."""
    made = tmp_path_factory.mktemp("made")
    write_folder(made)
    if importlib.util.find_spec("pynq") is not None:
        from tests.host.board.hardware_description import hardware_description

        (made / "tritloom.hwh").write_text(hardware_description(BUILD.clock_mhz))
    archive, missing = write_bundle(made, KV260, BUILD, model_folder("chat"))
    assert missing == []
    home = tmp_path_factory.mktemp("a board")
    with tarfile.open(archive) as content:
        content.extractall(home, filter="data")
    shutil.rmtree(made)
    return home / "tritloom-kv260"


@pytest.fixture(scope="module")
def installed(unpacked, tmp_path_factory) -> Path:
    """Python of a fresh environment, after install.sh: the project from the archive, dependencies as they are here."""
    python, units = fresh(tmp_path_factory.mktemp("fresh") / "venv"), tmp_path_factory.mktemp("units")
    done = run(python, unpacked / "install.sh", "--service", PYTHON=sys.executable, PIP_PYTHON=python, UNITS=units,
               PIP_NO_INDEX=1, PIP_NO_DEPS=1, PIP_DISABLE_PIP_VERSION_CHECK=1)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"Installed. Try: {unpacked}/tritloom.sh chat\n") and "note" not in done.stdout
    (units / "tritloom.service").rename(python.parent / "tritloom.service")
    return python


def answers(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def chat_on_the_board(python: Path, unpacked: Path) -> None:
    """What the board says is what the emulator says, from the same archive."""
    greedy = ["--temperature", "0", "-n", "12", "--json"]
    on_board = answers(run(python, unpacked / "tritloom.sh", "chat", *greedy, turns=TURNS, PYTHON=python,
                           **{VARIABLE: unpacked / "accel.json"}))
    emulated = answers(run(python, python, "-m", "tritloom", "chat", "--model", unpacked / "model", "--build",
                           unpacked / "accel.json", *greedy, turns=TURNS))
    assert len(on_board) == 2 and len({answer["text"] for answer in on_board}) == 2
    assert [answer["text"] for answer in on_board] == [answer["text"] for answer in emulated]


def test_the_environment_has_the_project_from_the_archive(installed, unpacked):
    done = run(installed, installed, "-c", "import host, tritloom; print(host.__file__)")
    assert done.stdout.startswith(str(installed.parents[1])), done.stderr
    (answer,) = answers(run(installed, installed, "-m", "tritloom", "generate", "--model", unpacked / "model",
                            "--prompt", "It was", "-n", "3", "--temperature", "0", "--json"))
    assert len(answer["ids"]) == 3


def test_the_server_starts_at_boot(installed, unpacked):
    unit = installed.parent / "tritloom.service"
    assert f'ExecStart="{unpacked}/tritloom.sh" serve ' in unit.read_text() and "@" not in unit.read_text()
    if shutil.which("systemd-analyze"):
        done = run(installed, "systemd-analyze", "verify", "--man=no", unit)
        assert done.returncode == 0 and str(unit) not in done.stderr, done.stderr


def test_a_pynq_that_does_not_start_is_told(unpacked, tmp_path):
    python, broken = fresh(tmp_path / "venv"), tmp_path / "broken"
    (broken / "pynq").mkdir(parents=True)
    (broken / "pynq" / "__init__.py").write_text("from pycparser import plyparser_of_old\n")
    (next((tmp_path / "venv").glob("lib/python*/site-packages")) / "0.pth").write_text(
        f"import sys; sys.path.insert(0, {str(broken)!r})\n")
    wrapper = tmp_path / "python"  # pip is none of that environment's
    wrapper.write_text(f'#!/bin/sh\n[ "$2" = pip ] && exit 0\nexec {python} "$@"\n')
    wrapper.chmod(0o755)
    done = run(python, unpacked / "install.sh", PYTHON=wrapper)
    assert done.returncode == 0, done.stderr
    assert "note: PYNQ does not start: " in done.stderr and "pycparser<2.22" in done.stderr


def test_a_damaged_archive_is_not_installed(unpacked, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(unpacked, copy)
    (copy / "accel.json").write_text("{}")
    done = run(Path(sys.executable), copy / "install.sh", PYTHON="/bin/false")
    assert done.returncode != 0 and "accel.json: FAILED" in done.stdout
    done = run(Path(sys.executable), copy / "install.sh", "--server")
    assert done.returncode == 2 and done.stderr == "error: unknown argument --server: known is --service\n"


def test_a_chat_on_the_simulated_board(installed, unpacked):
    pytest.importorskip("pynq", reason="pip install 'tritloom[board]' (Python 3.10 to 3.12)")
    chat_on_the_board(installed, unpacked)


@pytest.mark.slow  # downloads what the project and PYNQ depend on
@pytest.mark.parametrize("pynq", [  # 3.0.1 with what Kria-PYNQ puts beside it, and what has broken it since
    pytest.param(["pynq==3.0.1", "pynqmetadata==0.1.2", "pynqutils==0.1.1", "pydantic<2", "pycparser<2.22",
                  "ipython<9"],
                 marks=pytest.mark.skipif(sys.version_info >= (3, 11), reason="PYNQ 3.0.1 ends with Python 3.10")),
    ["pynq==4.0.0"]], ids=["3.0.1", "4.0.0"])
def test_a_chat_in_an_environment_without_anything_of_ours(pynq, unpacked, tmp_path):
    pytest.importorskip("pynq", reason="pip install 'tritloom[board]' (Python 3.10 to 3.12)")
    venv.create(tmp_path / "venv", with_pip=True, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    for packages in (["wheel", "setuptools<80"], ["--no-build-isolation", *pynq, "numpy<2"]):
        done = run(python, python, "-m", "pip", "install", "--quiet", *packages)
        assert done.returncode == 0, done.stderr
    done = run(python, unpacked / "install.sh", PYTHON=python)
    assert done.returncode == 0 and "note" not in done.stderr, done.stderr
    (next((tmp_path / "venv").glob("lib/python*/site-packages")) / "sitecustomize.py").write_text(sitecustomize())
    chat_on_the_board(python, unpacked)
