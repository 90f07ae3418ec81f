"""The hardware speaks one dialect of Amaranth, so that a new unit finds one idiom to copy."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HW = Path(__file__).resolve().parents[2] / "hw"
BY_NAME = {"connect", "flipped", "Memory", "SyncFIFO", "SyncFIFOBuffered"}
"""Imported from their module of `amaranth.lib`, not reached through it."""


def faults(source: str) -> Iterator[str]:
    """What of a file is not in the dialect, a line each."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in BY_NAME and getattr(node.value, "id", "") in (
                "wiring", "memory", "fifo"):
            yield f"{node.lineno}: {node.value.id}.{node.attr}: import {node.attr}"
        if isinstance(node, ast.FunctionDef) and node.name == "elaborate":
            arguments = [argument.arg for argument in node.args.args]
            if arguments != ["self", "platform"] or ast.unparse(node.returns or ast.Constant(None)) != "Module":
                yield f"{node.lineno}: not `elaborate(self, platform) -> Module`"


def test_every_unit_speaks_it():
    files = sorted(HW.rglob("*.py"))
    found = [f"{path.relative_to(HW)}:{fault}" for path in files for fault in faults(path.read_text(encoding="utf-8"))]
    assert files and found == []


@pytest.mark.parametrize("source", [
    "wiring.connect(m, a, b)", "m.submodules.rom = memory.Memory(depth=2)", "fifo.SyncFIFO(width=8, depth=2)",
    "def elaborate(self, platform): pass", "def elaborate(self) -> Module: pass",
    "def elaborate(self, platform) -> None: pass",
])
def test_another_dialect_is_found(source):
    assert len(list(faults(source))) == 1
