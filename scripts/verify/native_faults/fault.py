"""A wrong line for the emulator's compiled kernels, and the library that has it."""

from __future__ import annotations

import shutil
import subprocess
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

from models.child_process import run_child
from models.errors import BuildError

__all__ = ["SOURCES", "NativeFault", "build_library"]

SOURCES = Path(__file__).resolve().parents[3] / "host" / "emulator" / "native"


class NativeFault(NamedTuple):
    """`wrong` in place of `found`, which occurs once in a file, and the test by which `path` must see it."""

    file: str
    found: str
    wrong: str
    test: str
    path: str

    @property
    def model(self) -> str:
        """Beside the models of `scripts.verify.plant_faults`."""
        return "native"

    @property
    def place(self) -> str:
        """File and change, for people."""
        return " ".join(f"{self.file}: {self.found} => {self.wrong}".split())

    def planted(self) -> str:
        """The file's text with the fault; `ValueError` where its place does not occur exactly once."""
        text = (SOURCES / self.file).read_text(encoding="utf-8")
        if text.count(self.found) != 1:
            raise ValueError(f"{self.file}: {self.found!r} occurs {text.count(self.found)} times, not once")
        return text.replace(self.found, self.wrong)


def build_library(fault: NativeFault, folder: Path) -> None:
    """Compile the library with the fault to `folder`/_native, its sources in `folder`/native.

    Of the paths it has the fault's and the plain one; this makes it in a second.
    """
    native = folder / "native"
    shutil.copytree(SOURCES, native)
    (native / fault.file).write_text(fault.planted(), encoding="utf-8")
    paths = {path.stem: path for path in native.glob("path_*.c")}
    kept = {"path_portable", "path_" + fault.path.replace("-", "_")}
    absent = folder / "absent.c"
    absent.write_text('#include "machine.h"\n' + "".join(f"const path {name};\n" for name in sorted({*paths} - kept)),
                      encoding="utf-8")
    command = ["cc", "-O1", "-std=gnu11", "-fopenmp", "-shared", "-fPIC", f"-I{native}", "-o",
               folder / f"_native{EXTENSION_SUFFIXES[0]}", native / "run.c", absent, *(paths[name] for name in kept)]
    done = run_child([*map(str, command), "-lm"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise BuildError(f"cc failed: {' '.join(done.stderr.split())}")
