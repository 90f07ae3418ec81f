"""Run the notebooks and keep what they print and draw: `python -m scripts.record_notebooks`.

With --fast the long cells are shortened or left out, as in the tests, and nothing is written.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from models.command import CommandParser, run_command
from models.errors import BuildError
from tritloom.copy_notebooks import NOTEBOOKS

__all__ = ["executed", "main"]

_ROOT = Path(__file__).resolve().parents[1]
_LONGEST = 600  # seconds of a cell


def executed(book: Path, *, fast: bool) -> nbformat.NotebookNode:
    """A notebook with its outputs, run in a folder of its own. `BuildError` with the cell's error where one fails."""
    notebook = nbformat.read(book, as_version=4)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]),
                   "PYTHONWARNINGS": "ignore"} | ({"TRITLOOM_FAST": "1"} if fast else {})
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=_LONGEST, kernel_name="python3", record_timing=False,
                                resources={"metadata": {"path": folder}})
        try:
            client.execute(env=environment)
        except CellExecutionError as error:
            raise BuildError(f"{book.name}: {error.ename}: {error.evalue}") from None
    return notebook


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.record_notebooks", description="Run the notebooks and keep their outputs.")
    parser.add_argument("--fast", action="store_true", help="shorten what is long, write nothing")
    options = parser.parse_args(arguments)
    for book in sorted(NOTEBOOKS.glob("*.ipynb")):
        print(book.name, file=sys.stderr)
        notebook = executed(book, fast=options.fast)
        if not options.fast:
            nbformat.write(notebook, book)


if __name__ == "__main__":
    run_command(main)
