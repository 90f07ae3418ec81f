"""Verilog and C++ sources in, a program or a shared library out, built once per content."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from models.cache import cache_root, cached, digest
from models.child_process import run_child
from models.errors import BuildError
from sim.verilator_env import MAKE_VARIABLES, tool_versions, verilator_environment, verilator_root

__all__ = ["verilate"]

RUNTIME_OBJECTS = "verilated*.o"
_HEADERS = "common_headers.h"  # what every program of a kind includes, compiled once
_SMALL = "VM_PARALLEL_BUILDS = 0"  # in Verilator's makefile: one file of C++, without precompiled headers of its own
_ROOT = "verilator"  # link to Verilator's folder in a build's
_ERRORS = 8  # of a tool's log that are told


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    log = folder / "build.log"
    with open(log, "a", encoding="utf-8") as file:
        result = run_child(command, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
    if result.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line for line in lines if "rror" in line] or lines or [f"exit status {result.returncode}"]
        raise BuildError(f"{command[0]} failed: {'; '.join(line.strip() for line in errors[:_ERRORS])}")


def _share_runtime(source: Path, target: Path) -> None:
    """Copy Verilator's own compiled runtime, which is most of a small design's build time, where it is missing.

    The copies are new files: make takes them for up to date.
    """
    target.mkdir(parents=True, exist_ok=True)
    for file in source.glob(RUNTIME_OBJECTS):
        if not (target / file.name).exists():
            partial = target / f".{os.getpid()}.{file.name}"
            shutil.copyfile(file, partial)
            partial.replace(target / file.name)


def _precompile(headers: Sequence[str], folder: Path, runtime: Path, make: Sequence[str],
                environment: dict[str, str]) -> None:
    """Bring the headers to the folder, compiled: from `runtime`, or by the flags of the folder's own makefile."""
    (folder / _HEADERS).write_text("".join(f"#include <{header}>\n" for header in headers), encoding="utf-8")
    compiled, shared = folder / f"{_HEADERS}.gch", runtime / f"{_HEADERS}.gch"
    if not shared.exists():
        (folder / "headers.mk").write_text(
            f"include Vtop.mk\n{compiled.name}: {_HEADERS}\n"
            "\t$(CXX) $(OPT_FAST) $(CXXFLAGS) $(CPPFLAGS) -x c++-header -o $@ $<\n", encoding="utf-8")
        _run([*make, "-f", "headers.mk", compiled.name], folder, environment)
        runtime.mkdir(parents=True, exist_ok=True)
        partial = runtime / f".{os.getpid()}.{shared.name}"
        os.link(compiled, partial)  # 70 MB: not worth a copy
        partial.replace(shared)
    else:
        os.link(shared, compiled)


def verilate(
    verilog: str,
    output: str,
    *,
    sources: Sequence[Path] = (),
    includes: Sequence[Path] = (),
    flags: Sequence[str] = (),
    cflags: Sequence[str] = (),
    ldflags: Sequence[str] = (),
    headers: Sequence[str] = (),
    optimise: str = "-O1",
    versions: Sequence[str] = (),
    what: str | None = None,
) -> Path:
    """Build the design ``top`` in ``verilog`` with C++ ``sources`` into a file named ``output``; return its path.

    The class is ``Vtop``. ``includes`` are header files that the sources read; both lie in the folder in which all is
    compiled. ``headers``: those of others that all sources include, compiled once for a small design. ``versions``
    name libraries that they link: they only enter the key. The result lies in the cache under
    a hash of the Verilog, the sources, the flags and the tools' versions; where it is there already no tool runs, else
    standard error says ``what``. Raises `BuildError` with the tool's first errors.
    """
    texts = tuple(path.read_text(encoding="utf-8") for path in (*sources, *includes))
    compiled = (tool_versions(), tuple(cflags), optimise, "--trace-vcd" in flags)
    key = digest(verilog, output, texts, tuple(flags), tuple(ldflags), tuple(versions), compiled)

    def build(folder: Path) -> None:
        # All by names below the folder, so that no path with a space meets make; for its makefile's own test of that,
        # which looks at the folder itself, the folder is ".".
        (folder / _ROOT).symlink_to(verilator_root())
        environment = verilator_environment() | {"VERILATOR_ROOT": _ROOT}
        for path in (*sources, *includes):
            shutil.copyfile(path, folder / path.name)
        (folder / "top.v").write_text(verilog, encoding="utf-8")
        command = ["verilator", "--cc", "--exe", "--top-module", "top", "--prefix", "Vtop", "-Mdir", "."]
        command += ["-Wno-fatal", "-o", output, *flags]
        for flag in cflags:
            command += ["-CFLAGS", flag]
        for flag in ldflags:
            command += ["-LDFLAGS", flag]
        _run([*command, *(path.name for path in sources), "top.v"], folder, environment)
        runtime = cache_root() / "runtime" / digest(compiled)
        _share_runtime(runtime, folder)
        jobs = len(os.sched_getaffinity(0))
        # What runs once at the start is long and repetitive code: compiling it well takes minutes for nothing.
        flags_of = [f"OPT_FAST={optimise}", "OPT_SLOW=-O0", f"OPT_GLOBAL={optimise}"]
        make = ["make", f"-j{jobs}", "CURDIR=.", *MAKE_VARIABLES]
        if headers and _SMALL in (folder / "Vtop_classes.mk").read_text("utf-8"):
            _precompile(headers, folder, runtime, [*make, *flags_of], environment)
            flags_of[0] += f" -include {_HEADERS}"
        _run([*make, "-f", "Vtop.mk", *flags_of, output], folder, environment)
        _share_runtime(folder, runtime)
        for pattern in ("*.o", "*.a", "*.gch", "*.d", _ROOT):
            for file in folder.glob(pattern):
                file.unlink()

    return cached("verilated", key, build, what=what) / output
