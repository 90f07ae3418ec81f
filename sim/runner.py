"""Run the cocotb benches of an Amaranth component under Verilator, from pytest or from a script."""

import inspect
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import cocotb
import cocotb_tools.config
import numpy as np
from amaranth.hdl import Const, Value
from amaranth.lib import wiring
from cocotb_tools.runner import get_runner

from host.devices.waves import WAVES_SUFFIX
from hw.boards.technology import ULTRASCALE_PLUS, Technology
from hw.verilog import to_verilog
from models.cache import cached, digest
from sim.component_key import component_key
from sim.enclosure import enclose
from sim.fault import inverted_output
from sim.testbench import PARAMETERS_VARIABLE
from sim.verilate import verilate

__all__ = ["BENCH_HEADERS", "BenchFailure", "build_bench", "emit_verilog", "run_bench", "waves_file"]

ROOT = Path(__file__).resolve().parent.parent
LOG_LINES = 40
BENCH_HEADERS = "memory", "string", "verilated.h", "verilated_vpi.h"
"""What cocotb's program and the design include, compiled once for all benches."""
REWRITTEN = "tests/*.py"  # cocotb's default, every module imported, costs a second a run


class BenchFailure(AssertionError):
    """A cocotb test failed, or the simulation ended without a result. asserted: whether an assertion of a test did."""

    def __init__(self, message: str, *, asserted: bool = False):
        super().__init__(message)
        self.asserted = asserted


def emit_verilog(component: wiring.Component, technology: Technology | None = ULTRASCALE_PLUS) -> str:
    """Verilog of the component as module ``top``: the same text for the same design, without source positions.

    Ports are named by path with ``__`` between (``i__payload``, ``sums__0``); a port with a layout is one vector.
    technology: what units get as their platform; the KV260's, so that what is tested is what is emitted for it.
    """
    values = ((path, Value.cast(value)) for path, _, value in component.signature.flatten(component))
    # all but the `ready` of streams that always are, a constant
    ports = [("__".join(map(str, path)), value, None) for path, value in values if not isinstance(value, Const)]
    return to_verilog(component, technology, name="top", ports=ports)


def _kept_verilog(component: wiring.Component, technology: Technology) -> str:
    """`emit_verilog`, from the cache where the same component had its Verilog written before."""
    key = component_key(component)
    if key is None:
        return emit_verilog(component, technology)

    def emit(folder: Path) -> None:
        (folder / "top.v").write_text(emit_verilog(component, technology), "utf-8")

    return (cached("units", digest(key, repr(technology)), emit) / "top.v").read_text("utf-8")


def waves_file(component: wiring.Component) -> Path | None:
    """A new file in ``build/waves``, named after the component and the test that runs, where ``WAVES=1`` is set, else
    None. VCD, for GTKWave and its like."""
    if os.environ.get("WAVES", "0").lower() not in ("1", "yes", "y", "on", "true", "enable"):  # cocotb's own words
        return None
    folder = Path("build/waves").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("::")[2].partition(" (")[0]
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{type(component).__name__}-{test}").strip("-")
    names = (f"{stem}{f'-{number}' if number else ''}{WAVES_SUFFIX}" for number in count())
    return next(path for path in map(folder.joinpath, names) if not path.exists())


def build_bench(verilog_text: str, *, waves: bool = False) -> Path:
    """The simulator program of module ``top`` with cocotb inside, from the cache where it is there.

    Python can read and write the signals of ``top``, which had better be ports alone: see `sim.enclosure`. waves:
    whether it can write those below, too, to a file.
    """
    library, share = Path(cocotb_tools.config.libs_dir), Path(cocotb_tools.config.share_dir)
    return verilate(
        verilog_text,
        "top",
        sources=[share / "lib" / "verilator" / "verilator.cpp"],
        flags=["--vpi", "--public-depth", "1", "--timescale", "1ns/1ps"],
        ldflags=[shlex.quote(f"-Wl,-rpath,{library}"), shlex.quote(f"-L{library}"), "-lcocotbvpi_verilator"],
        headers=BENCH_HEADERS,
        versions=[cocotb.__version__],
        waves=waves,
    )


def _plain(value: object) -> object:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"a bench parameter must be JSON or NumPy, not {type(value).__name__}")


def _failures(results: Path) -> list[tuple[str, bool]]:
    """``name: message`` of each cocotb test that did not pass, and whether an assertion failed."""
    found = []
    for case in ElementTree.parse(results).getroot().iter("testcase"):
        for outcome in (*case.findall("failure"), *case.findall("error")):
            message = outcome.get("message") or outcome.get("error_msg") or (outcome.text or "").strip()
            found.append((f"{case.get('classname')}.{case.get('name')}: {message}",
                          outcome.get("type") == "AssertionError"))
    return found


def run_bench(
    component: wiring.Component,
    bench: str | ModuleType,
    parameters: Mapping[str, Any] | None = None,
    *,
    seed: int | None = None,
    testcase: str | None = None,
    technology: Technology | None = ULTRASCALE_PLUS,
) -> int:
    """Run the cocotb tests of ``bench`` on ``component``; return how many ran.

    ``bench`` is a module or its dotted name, importable from the repository's root; it gets ``parameters`` (JSON
    values and NumPy arrays) from `sim.testbench.parameters`. ``testcase`` picks one test by name, ``technology`` what
    units get as their platform. The seed is ``seed``, else ``$TRITLOOM_SEED``, else 1; it is printed and stands in the
    failure's message. With ``WAVES=1`` each run writes its signals to a file of `waves_file`, whose name is
    printed. Raises BenchFailure with each failing test's message and the end of the simulator's log.
    """
    __tracebackhide__ = True
    name = bench.__name__ if inspect.ismodule(bench) else bench
    if seed is None:
        seed = int(os.environ.get("TRITLOOM_SEED", "1"))
    waves = waves_file(component)
    verilog = _kept_verilog(component, technology)
    fault = inverted_output(type(component).__name__, verilog)
    program = build_bench(enclose(verilog, fault), waves=waves is not None)
    print(f"{type(component).__name__}: {name}, seed {seed}{f', waves in {waves}' if waves else ''}")
    with tempfile.TemporaryDirectory(prefix="tritloom-bench-") as scratch:
        results, log = Path(scratch) / "results.xml", Path(scratch) / "simulator.log"
        given = Path(scratch) / "parameters.json"
        given.write_text(json.dumps(parameters or {}, default=_plain), "utf-8")
        paths = list(sys.path)
        sys.path.insert(0, str(ROOT))  # the runner hands sys.path to the simulator's Python
        try:
            get_runner("verilator").test(
                name,
                hdl_toplevel="top",
                hdl_toplevel_lang="verilog",
                build_dir=program.parent,
                test_dir=scratch,
                results_xml=str(results),
                testcase=testcase,
                seed=seed,
                test_args=["--trace-file", str(waves)] if waves else [],
                extra_env={
                    PARAMETERS_VARIABLE: str(given),
                    "COCOTB_REWRITE_ASSERTION_FILES": REWRITTEN,
                    "NO_COLOR": "1",
                },
                log_file=log,
            )
        except SystemExit:
            pass  # the runner's way to say that a test failed; the results say which
        finally:
            sys.path[:] = paths
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        tail = "\n".join(text.splitlines()[-LOG_LINES:])
        if not results.exists():
            raise BenchFailure(f"{name}, seed {seed}: the simulation ended without results\n{tail}")
        failures = _failures(results)
        ran = sum(1 for _ in ElementTree.parse(results).getroot().iter("testcase"))
    if failures:
        messages = "\n".join(message for message, _ in failures)
        raise BenchFailure(f"{name}, seed {seed}:\n{messages}\n{tail}", asserted=any(by for _, by in failures))
    if not ran:
        raise BenchFailure(f"{name} has no cocotb test" + (f" named {testcase}" if testcase else ""))
    return ran
