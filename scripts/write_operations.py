"""Write what the tables of operations and of the kernels' state give: headers in C, docs/program.md's table.

`python -m scripts.write_operations`, after a change of models/machine/descriptor.py or
host/emulator/native_state.py; tests tell where it is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.emulator.native_operation import operation_header
from host.emulator.native_state import state_header
from models.command import CommandParser, run_command
from models.machine.operation_table import operation_table
from scripts.marked_text import rewrite_marked

__all__ = ["DOCUMENT", "END", "START", "main"]

_ROOT = Path(__file__).resolve().parents[1]
_HEADERS = {"operations.h": operation_header, "state.h": state_header}  # of host/emulator/native
DOCUMENT = _ROOT / "docs/program.md"
START, END = "<!-- operations: written by scripts.write_operations -->", "<!-- operations: end -->"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    CommandParser("scripts.write_operations", description="Writes what the tables of operations and state give."
                  ).parse_args(arguments)
    for name, header in _HEADERS.items():
        (_ROOT / "host/emulator/native" / name).write_text(header(), encoding="utf-8")
    rewrite_marked(DOCUMENT, START, END, lambda _: operation_table())


if __name__ == "__main__":
    run_command(main)
