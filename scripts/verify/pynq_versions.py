"""The tests of the board's runtime with each PYNQ that owners have: `python -m scripts.verify.pynq_versions`.

Each version gets a virtual environment of its own under build/, kept between runs, with what its own installer puts
beside it: Kria-PYNQ's on Ubuntu 22.04 for 3.0.1, PyPI's for 4.0. 3.0.1 needs Ubuntu 22.04's Python 3.10, under which
alone its metadata package can be imported; without one it fails in one line. Among the tests, `host.generate --device
pynq` gives the emulator's tokens over the simulated board (tests/host/board/test_generate.py).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ("tests/host/board", "tests/host/test_doctor.py", "tests/host/test_selftest.py", "tests/host/bringup")
COMMON = ("pytest>=8.2", "pytest-xdist>=3.6", "wheel", "setuptools>=77,<80")
VERSIONS: dict[str, tuple[str, ...]] = {
    # pynqmetadata 0.1.2 is written for pydantic 1, and 3.0.1 imports what pycparser has no more
    "3.0.1": ("pynq==3.0.1", "pynqutils==0.1.1", "pynqmetadata==0.1.2", "pydantic<2", "pycparser<2.22", "ipython<9"),
    "4.0.0": ("pynq==4.0.0",),
}
OLD, OLD_PYTHON = "3.0.1", "3.10"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command; exit status 1 where a version fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=VERSIONS, help="one version")
    parser.add_argument("--folder", type=Path, default=ROOT / "build", help="of the environments (default: build)")
    options = parser.parse_args(arguments)
    failed = [version for version in ([options.only] if options.only else VERSIONS)
              if not test_with(version, options.folder / f"pynq-{version}")]
    raise SystemExit(1 if failed else 0)


def test_with(version: str, folder: Path) -> bool:
    """Whether the tests pass with this version."""
    started = time.monotonic()
    if not (folder / "ready").exists():
        python = interpreter(version)
        if python is None:
            print(f"PYNQ {version}: FAILED, there is no Python {OLD_PYTHON}", flush=True)
            return False
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        install = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *COMMON], check=True)
        # no isolation: the sdist's setup script takes what Kria-PYNQ's pip.conf gives it, too
        subprocess.run([*install, "--no-build-isolation", *VERSIONS[version], "numpy<2"], check=True)
        subprocess.run([*install, "--no-build-isolation", "--editable", f"{ROOT}[chat]"], check=True,
                       env=os.environ | {"TRITLOOM_KERNELS": "-O1"})  # sooner compiled, the same bits
        (folder / "ready").touch()
    ready = time.monotonic()
    done = subprocess.run([folder / "bin/python", "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *TESTS],
                          cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    print(f"PYNQ {version}: {'passed' if not done.returncode else 'FAILED'}, environment {ready - started:.0f} s, "
          f"tests {time.monotonic() - ready:.0f} s", flush=True)
    return not done.returncode


def interpreter(version: str) -> str | None:
    """A Python under which the version can be imported; None where there is none."""
    if version != OLD:
        return sys.executable
    named = [shutil.which(f"python{OLD_PYTHON}"),
             *map(str, Path.home().glob(f".pyenv/versions/{OLD_PYTHON}.*/bin/python"))]
    return next((path for path in filter(None, named)
                 if subprocess.run([path, "--version"], capture_output=True).returncode == 0), None)


if __name__ == "__main__":
    main()
