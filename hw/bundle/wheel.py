"""The project as a wheel for any machine, made of its sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from models.child_process import run_child
from models.errors import BuildError

__all__ = ["build_wheel"]

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("tritloom", "models", "host", "hw", "sim")
_FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
_BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
_DATE = "315532800"  # 1980, before which zip files know no time


def build_wheel() -> tuple[str, bytes]:
    """Its file name and content, the same from the same sources.

    Without the emulator's kernels, which are compiled for one kind of processor: a board's emulator runs in NumPy, with
    the same bits. `BuildError` where there are no sources, or setuptools cannot make it.
    """
    if not all((_ROOT / name).is_file() for name in _FILES):
        raise BuildError(f"a bundle has the project's wheel, which takes its sources: {_ROOT} is an installed copy")
    with tempfile.TemporaryDirectory() as scratch:
        copy, made = Path(scratch, "source"), Path(scratch, "wheel")
        copy.mkdir()
        made.mkdir()
        for name in _FILES:
            shutil.copyfile(_ROOT / name, copy / name)
        for package in _PACKAGES:
            shutil.copytree(_ROOT / package, copy / package, copy_function=shutil.copyfile,
                            ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyc"))
        for path in copy.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        done = run_child([sys.executable, "-c", _BUILD, str(made)], cwd=copy, text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE,
                         env=os.environ | {"TRITLOOM_KERNELS": "none", "SOURCE_DATE_EPOCH": _DATE})
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise BuildError(f"setuptools could not make the wheel: {lines[-1]}")
        (wheel,) = made.iterdir()
        return wheel.name, wheel.read_bytes()
