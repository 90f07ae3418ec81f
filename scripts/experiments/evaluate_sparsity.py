"""All masks beside each other on the novels: `python -m scripts.experiments.evaluate_sparsity --data DIR --record`.

Settings are found on Emma, perplexity is that of the start of Northanger Abbey, both as the emulator executes them. It
is `python -m host.pipeline report --kind sparsity`, whose table goes into docs/sparsity.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from host.pipeline.commands.comparison import comparison_table
from host.pipeline.sparsity.comparison import TARGETS, Row, compare_masks
from host.pipeline.texts import text_ids
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.json_file import read_object
from scripts.marked_text import rewrite_marked

__all__ = ["main", "rows_of"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sparsity.md"
_START, _END = "<!-- masks: written by scripts.experiments.evaluate_sparsity --record -->", "<!-- masks: end -->"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.evaluate_sparsity", description="All masks on the novels.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, metavar="DIR", help="folder of the novels")
    source.add_argument("--report", type=Path, metavar="FILE", help="what host.pipeline report --json printed, instead")
    parser.add_argument("--model", default="demo", metavar="DIR", help="a converted model's folder, or demo (default)")
    parser.add_argument("--fitting", type=int, default=512, help="tokens of Emma to fit on (default: 512)")
    parser.add_argument("--scored", type=int, default=1024, help="tokens of Northanger Abbey (default: 1024)")
    parser.add_argument("--targets", type=float, nargs="+", default=list(TARGETS), metavar="S",
                        help="shares of zeros to compare at (default: " + " ".join(map(str, TARGETS)) + ")")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("--record", action="store_true", help="write the table into docs/sparsity.md")
    options = parser.parse_args(arguments)
    if options.report:
        rows = rows_of(options.report)
    else:
        model = load_model(options.model)
        fitting, scored = (text_ids(model, options.data / f"austen_{name}.txt") for name in
                           ("emma", "northanger_abbey"))
        rows = compare_masks(model, fitting[:options.fitting], scored[:options.scored], options.targets)
    if options.record:
        rewrite_marked(_DOCUMENT, _START, _END, lambda _: comparison_table(rows))
    print(json.dumps({"rows": [row._asdict() for row in rows]}) if options.json else comparison_table(rows))


def rows_of(path: Path) -> list[Row]:
    """The rows of a comparison's JSON; `OptionError` for another file."""
    try:
        return [Row(**row) for row in read_object(path)["rows"]]
    except (KeyError, TypeError):
        raise OptionError(f"{path} is not what host.pipeline report --kind sparsity --json prints") from None


if __name__ == "__main__":
    run_command(main)
