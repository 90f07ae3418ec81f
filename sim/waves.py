"""What a Verilated design needs to write its signals over time as FST, which Surfer and GTKWave open."""

from __future__ import annotations

import re
from pathlib import Path

from hw.module_names import SEPARATOR
from models.errors import OptionError

__all__ = ["WAVES_FLAG", "WAVES_HEADERS", "WAVES_LIBRARIES", "check_scope"]

WAVES_FLAG = "--trace-fst"
WAVES_HEADERS = sorted((Path(__file__).resolve().parent / "verilated" / "fst").glob("*.h"))
# by the libraries' own names: Verilator's makefile asks for those that come with the headers
WAVES_LIBRARIES = "LDLIBS=$(VM_USER_LDLIBS) -l:liblz4.so.1 -l:libz.so.1"


def check_scope(scope: str, verilog: str) -> None:
    """`OptionError` unless the design `top` of a Verilog text has an instance of this path; empty: all of it."""
    found = re.findall(rf"^module \\?top{SEPARATOR}([\w$]+)", verilog, re.MULTILINE)
    modules = [name.replace(SEPARATOR, ".") for name in found]
    if scope and scope not in modules:
        tops = ", ".join(name for name in modules if "." not in name)
        raise OptionError(f"the design has no instance {scope!r}; at its top it has {tops}")
