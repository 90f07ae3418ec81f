"""Write what the table of operations gives: the kernels' header and docs/program.md's table.

`python -m scripts.write_operations`, after a change of models/machine/descriptor.py; tests tell where it is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.emulator.native_operation import operation_header
from models.command import CommandParser, run_command
from models.machine.operation_table import operation_table
from scripts.marked_text import rewrite_marked

__all__ = ["DOCUMENT", "END", "HEADER", "START", "main"]

_ROOT = Path(__file__).resolve().parents[1]
HEADER = _ROOT / "host/emulator/native/operations.h"
DOCUMENT = _ROOT / "docs/program.md"
START, END = "<!-- operations: written by scripts.write_operations -->", "<!-- operations: end -->"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    CommandParser("scripts.write_operations", description="Writes what the table of operations gives."
                  ).parse_args(arguments)
    HEADER.write_text(operation_header(), encoding="utf-8")
    rewrite_marked(DOCUMENT, START, END, lambda _: operation_table())


if __name__ == "__main__":
    run_command(main)
