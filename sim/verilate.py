"""Verilog and C++ sources in, a program or a shared library out, built once per content."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sim.cache import cache_root, cached, digest
from sim.verilator_env import MAKE_VARIABLES, ToolError, tool_versions, verilator_environment

__all__ = ["verilate"]

RUNTIME_OBJECTS = "verilated*.o"


def _run(command: Sequence[str], log: Path, environment: dict[str, str]) -> None:
    with open(log, "a", encoding="utf-8") as file:
        result = subprocess.run(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
    if result.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line for line in lines if "rror" in line] or lines
        raise ToolError(f"{command[0]} failed:\n" + "\n".join(errors[-20:]))


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


def verilate(
    verilog: str,
    output: str,
    *,
    sources: Sequence[Path] = (),
    includes: Sequence[Path] = (),
    flags: Sequence[str] = (),
    cflags: Sequence[str] = (),
    ldflags: Sequence[str] = (),
    optimise: str = "-Os",
    versions: Sequence[str] = (),
) -> Path:
    """Build the design ``top`` in ``verilog`` with C++ ``sources`` into a file named ``output``; return its path.

    The class is ``Vtop``. ``includes`` are header files that the sources read and ``versions`` name libraries that
    they link: they only enter the key. The result lies in the cache under a hash of the Verilog, the sources, the
    flags and the tools' versions; where it is there already no tool runs. Raises ToolError with the tool's last
    errors.
    """
    texts = tuple(path.read_text(encoding="utf-8") for path in (*sources, *includes))
    compiled = (tool_versions(), tuple(cflags), optimise, "--trace-vcd" in flags)
    key = digest(verilog, output, texts, tuple(flags), tuple(ldflags), tuple(versions), compiled)

    def build(folder: Path) -> None:
        environment, log = verilator_environment(), folder / "build.log"
        (folder / "top.v").write_text(verilog, encoding="utf-8")
        command = ["verilator", "--cc", "--exe", "--top-module", "top", "--prefix", "Vtop", "-Mdir", str(folder)]
        command += ["-Wno-fatal", "-o", output, *flags]
        for flag in cflags:
            command += ["-CFLAGS", flag]
        for flag in ldflags:
            command += ["-LDFLAGS", flag]
        _run([*command, *map(str, sources), str(folder / "top.v")], log, environment)
        runtime = cache_root() / "runtime" / digest(compiled)
        _share_runtime(runtime, folder)
        jobs = len(os.sched_getaffinity(0))
        make = ["make", "-C", str(folder), "-f", "Vtop.mk", f"-j{jobs}", *MAKE_VARIABLES]
        # What runs once at the start is long and repetitive code: compiling it well takes minutes for nothing.
        _run([*make, f"OPT_FAST={optimise}", "OPT_SLOW=-O0", f"OPT_GLOBAL={optimise}", output], log, environment)
        _share_runtime(folder, runtime)
        for pattern in ("*.o", "*.a", "*.gch", "*.d"):
            for file in folder.glob(pattern):
                file.unlink()

    return cached("verilated", key, build) / output
