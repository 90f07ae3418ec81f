"""In the folder of somebody who has packages of our names: they and we live in one process."""

import subprocess
import sys
from pathlib import Path

import pytest

from tritloom.apart import others_have_our_names

ROOT = Path(__file__).resolve().parents[2]
SCALED = ROOT / "tests" / "host" / "pipeline" / "scaled_down.py"
GENERATE = "tritloom.load().generate('It was a truth', n=6, do_sample=False)"


@pytest.fixture
def folder(tmp_path):
    """A project with `models/config.py`, which we have, `models/mine.py`, which we lack, and a module `host`."""
    (tmp_path / "models").mkdir()
    for name, text in (("models/__init__.py", "here = 'mine'"), ("models/config.py", "value = 1"),
                       ("models/mine.py", "from models.config import value"), ("host.py", "name = 'mine'")):
        (tmp_path / name).write_text(f"{text}\n")
    return tmp_path


def python(folder: Path, code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env={"PYTHONPATH": f"{folder}:{ROOT}"},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def alone() -> str:
    return python(ROOT, f"import tritloom; print({GENERATE!s})")


def test_their_packages_stay_theirs_whoever_comes_first(folder):
    theirs = "import host, models.mine; assert (models.here, models.mine.value, host.name) == ('mine', 1, 'mine')"
    ours = f"import tritloom; said = {GENERATE}"
    expected = alone()
    for lines in ((theirs, ours, theirs), (ours, theirs, ours)):
        assert python(folder, "; ".join((*lines, "print(said)"))) == expected != ""


def test_all_of_the_library_is_there(folder):
    code = f"""
import models, tritloom
with tritloom.load(n=4) as model, tritloom.load('bilingual', n=4) as other:
    chat = model.chat()
    print(len(chat('It was')) > 0, len(other.generate('In the')) > 0, repr(model).startswith('<tritloom-demo: '))
try:
    tritloom.load('none')
except tritloom.TritloomError as error:
    print(error)
for device in ('rtl', 'none'):
    try:
        tritloom.load(device=device, board='nexys')
    except tritloom.TritloomError as error:
        print(error)
from tritloom.own.host.pipeline.methods import find_methods
print(len(find_methods()) > 20, ('sparsity', 'scaled-down') in find_methods({str(folder / 'methods')!r}))
"""
    (folder / "methods").mkdir()
    (folder / "methods" / "scaled.py").write_text(SCALED.read_text())
    lines = python(folder, code).splitlines()
    assert lines[0] == "True True True" and lines[1].startswith("no model folder at none")
    assert "unknown board 'nexys'" in lines[2] and lines[4] == "True True"


def test_without_them_our_packages_have_their_usual_names(tmp_path):
    (tmp_path / "models").mkdir()  # no package: a folder of files
    code = f"import sys, tritloom; {GENERATE}; assert 'tritloom.own' not in sys.modules; import models.config"
    assert python(tmp_path, code) == ""
    assert not others_have_our_names()


def test_a_module_that_nobody_found_is_somebody_elses(monkeypatch):
    monkeypatch.setitem(sys.modules, "sim", type(sys)("sim"))
    assert others_have_our_names()
