"""Verilog and C++ sources in, a program or a shared library out, built once per content."""

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from models.cache import cache_root, cached, digest
from models.child_process import run_child
from models.errors import BuildError
from sim.verilator_env import MAKE_VARIABLES, tool_versions, verilator_environment, verilator_root
from sim.waves import WAVES_FLAG, WAVES_HEADERS, WAVES_LIBRARIES

__all__ = ["complaints", "verilate"]

_RUNTIME = "verilated*.o"  # Verilator's own objects
_RUNTIME_LEVEL = "-O1"  # at which they are compiled, once for all designs; but for a bench's that writes waves: there
_WAVES_LEVEL = "-O0"  # Python takes most of the time
_HEADERS = "common_headers.h"  # what every program of a kind includes, compiled once
_SMALL = "VM_PARALLEL_BUILDS = 0"  # in Verilator's makefile: all its C++ is compiled as one file, at the fast level
_OWN_HEADERS = ("Vtop__pch.h.fast.gch", "Vtop__pch.h.slow.gch")  # which the makefile compiles for a large design
_ROOT = "verilator"  # link to Verilator's folder in a build's
_ERRORS = 8  # of a tool's log that are told
_LOG = "build.log"


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    log = folder / _LOG
    with open(log, "a", encoding="utf-8") as file:
        result = run_child(command, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
    if result.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line for line in lines if "rror" in line] or lines or [f"exit status {result.returncode}"]
        raise BuildError(f"{command[0]} failed: {'; '.join(line.strip() for line in errors[:_ERRORS])}")


def _link(source: Path, target: Path) -> None:
    """The same file under a second name, for its 70 MB are not worth a copy; another process may do so too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{os.getpid()}.{target.name}")
    os.link(source, partial)
    partial.replace(target)


def _share_runtime(source: Path, target: Path) -> None:
    """Copy Verilator's own compiled runtime, which is most of a small design's build time, where it is missing.

    The copies are new files: make takes them for up to date.
    """
    target.mkdir(parents=True, exist_ok=True)
    for file in source.glob(_RUNTIME):
        if not (target / file.name).exists():
            partial = target / f".{os.getpid()}.{file.name}"
            shutil.copyfile(file, partial)
            partial.replace(target / file.name)


def _compiled(level: str) -> str:
    """The common headers compiled at a level, by their name in a folder."""
    return f"{_HEADERS}.gch/{level.lstrip('-')}"


def _precompile(headers: Sequence[str], folder: Path, shared: Path, make: Sequence[str], levels: Iterable[str],
                environment: dict[str, str]) -> None:
    """Bring the headers to the folder, compiled at each level of optimisation: from `shared`, or by the folder's own
    makefile. g++ takes of the compiled ones what fits its flags."""
    (folder / _HEADERS).write_text("".join(f"#include <{header}>\n" for header in headers), encoding="utf-8")
    (folder / "common.mk").write_text(
        f"include Vtop.mk\nruntime: $(VK_GLOBAL_OBJS)\n{_HEADERS}.gch/%: {_HEADERS}\n"
        "\t$(CXX) -$* $(CXXFLAGS) $(CPPFLAGS) -x c++-header -o $@ $<\n", encoding="utf-8")
    for level in levels:
        name = _compiled(level)
        if (shared / name).exists():
            _link(shared / name, folder / name)
        else:
            (folder / name).parent.mkdir(exist_ok=True)
            _run([*make, "-f", "common.mk", name], folder, environment)
            _link(folder / name, shared / name)


@contextlib.contextmanager
def _first_alone(runtime: Path, missing: bool) -> Iterator[None]:
    """Where something of the runtime is missing, one process at a time: the others find it there when their turn comes,
    in place of compiling it too."""
    if not missing:
        yield
        return
    runtime.mkdir(parents=True, exist_ok=True)
    with open(runtime / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def verilate(
    verilog: str,
    output: str,
    *,
    sources: Sequence[Path] = (),
    includes: Sequence[Path] = (),
    flags: Sequence[str] = (),
    cflags: Sequence[str] = (),
    defines: Sequence[str] = (),
    ldflags: Sequence[str] = (),
    headers: Sequence[str] = ("verilated.h",),
    optimise: str | None = None,
    versions: Sequence[str] = (),
    waves: bool = False,
    what: str | None = None,
) -> Path:
    """Build the design ``top`` in ``verilog`` with C++ ``sources`` into a file named ``output``; return its path.

    The class is ``Vtop``. ``includes`` are header files that the sources read; both lie in the folder in which all is
    compiled. ``headers``: those of others that all sources include, compiled once for all designs with the same
    ``cflags``; macros of one design are ``defines``. ``versions`` name libraries that they link: they only enter the
    key. The result lies in the cache under a hash of the Verilog, the sources, the flags and the tools' versions;
    where it is there already no tool runs, else standard error says ``what``. ``optimise``: g++'s level for what runs
    in every cycle, by default one that suits a test. ``waves``: it can write its signals to a file (`sim.waves`).
    Raises `BuildError` with the tool's first errors.
    """
    if waves:
        includes, flags = (*includes, *WAVES_HEADERS), (*flags, WAVES_FLAG)
    texts = tuple(path.read_text(encoding="utf-8") for path in (*sources, *includes))
    compiled = (tool_versions(), tuple(cflags), waves)
    key = digest(verilog, output, texts, tuple(flags), tuple(defines), tuple(ldflags), tuple(versions),
                 optimise, compiled)

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
        for flag in (*cflags, *(f"-D{define}" for define in defines)):
            command += ["-CFLAGS", flag]
        for flag in ldflags:
            command += ["-LDFLAGS", flag]
        _run([*command, *(path.name for path in sources), "top.v"], folder, environment)
        runtime = cache_root() / "runtime" / digest(compiled)
        own_headers = runtime / digest(tuple(headers))
        jobs = len(os.sched_getaffinity(0))
        make = ["make", f"-j{jobs}", "CURDIR=.", *MAKE_VARIABLES, *([WAVES_LIBRARIES] if waves else [])]
        small = _SMALL in (folder / "Vtop_classes.mk").read_text("utf-8")
        # What runs once at the start is long and repetitive code, and a small design is compiled longer than it runs.
        fast, slow = optimise or ("-O0" if small else "-O1"), "-O0"
        level = _WAVES_LEVEL if waves and "--vpi" in flags else _RUNTIME_LEVEL
        levels, of_runtime = {fast} if small else {fast, slow}, f"OPT_GLOBAL={level}"
        parts = ["verilated.o", *(["verilated_vpi.o"] if "--vpi" in flags else []),
                 *(["verilated_fst_c.o"] if waves else [])]
        needed = [*(runtime / part for part in parts), *(own_headers / _compiled(level) for level in levels)]
        missing = not all(path.exists() for path in needed)
        with _first_alone(runtime, missing):
            _share_runtime(runtime, folder)
            _precompile(headers, folder, own_headers, make, levels, environment)
            if missing:
                _run([*make, "-f", "common.mk", of_runtime, "runtime"], folder, environment)
                _share_runtime(folder, runtime)
        for name in _OWN_HEADERS:
            (folder / name).touch()  # for make, which need not compile them: the costly ones are common
        make += ["VK_PCH_I_FAST=", "VK_PCH_I_SLOW="]
        first = f" -include {_HEADERS}"
        options = [f"OPT_FAST={fast}{first}", f"OPT_SLOW={slow}{first}", of_runtime]
        _run([*make, "-f", "Vtop.mk", *options, output], folder, environment)
        for pattern in ("*.o", "*.a", "*.gch/*", "*.h.*.gch", "*.d", _ROOT):
            for file in folder.glob(pattern):
                file.unlink()

    return cached("verilated", key, build, what=what) / output


def complaints(built: Path) -> list[str]:
    """What Verilator's lint said of the design of a file that `verilate` built."""
    log = (built.parent / _LOG).read_text(encoding="utf-8", errors="replace")
    return [line for line in log.splitlines() if line.startswith("%")]
