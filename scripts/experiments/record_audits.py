"""Writes what audits found into docs/audits.md: `python -m scripts.experiments.record_audits FILE...`.

A file is what `python -m host.pipeline audit NAME ... --json` printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.pipeline.audit.audit import find_audits
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.json_file import read_object
from scripts.marked_text import rewrite_marked

__all__ = ["main"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audits.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.record_audits", description="Answers of audits, into docs/audits.md.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what audit --json printed")
    audits = find_audits()
    for path in parser.parse_args(arguments).files:
        found = read_object(path)
        if found.get("audit") not in audits:
            raise OptionError(f"{path} is no answer of an audit: {', '.join(audits)}")
        name = found["audit"]
        rewrite_marked(_DOCUMENT, f"<!-- {name}: written by scripts.experiments.record_audits -->",
                       f"<!-- {name}: end -->", lambda _, audit=audits[name], found=found: audit.page(found))


if __name__ == "__main__":
    run_command(main)
