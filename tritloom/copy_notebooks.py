"""`tritloom notebooks DIR`: the four notebooks, to open in Jupyter."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from models.command import CommandParser, run_command
from models.errors import OptionError

__all__ = ["NOTEBOOKS", "main", "parser"]

NOTEBOOKS = Path(__file__).with_name("notebooks")
"""Where they are in the package."""


def parser() -> CommandParser:
    """Options of the command."""
    result = CommandParser("tritloom.copy_notebooks",
                           description="Copy the notebooks: first text, steer and plot, where cycles go, on the board.")
    result.add_argument("folder", type=Path, nargs="?", default=Path("tritloom-notebooks"), metavar="DIR",
                        help="where to put them (default: tritloom-notebooks); what is there is never overwritten")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    folder = parser().parse_args(arguments).folder
    books = sorted(NOTEBOOKS.glob("*.ipynb"))
    if there := [book.name for book in books if (folder / book.name).exists()]:
        raise OptionError(f"{folder} has {there[0]} already: give another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for book in books:
            shutil.copyfile(book, folder / book.name)
    except OSError as error:
        raise OptionError(f"cannot write to {folder}: {error.strerror}") from None
    print(f"{len(books)} notebooks in {folder}; to open them: pip install 'tritloom[notebooks]' jupyterlab")


if __name__ == "__main__":
    run_command(main)
