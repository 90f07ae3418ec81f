"""All masks on the novels: `python -m scripts.experiments.evaluate_sparsity --data DIR --record`.

Settings are found on Emma, perplexity is that of the start of Northanger Abbey, both as the emulator executes them;
passages for CoreInfer are from the whole of the latter, and behind a switch from the King James Bible. It is
`python -m host.pipeline report --kind sparsity`, whose tables and picture go into docs/sparsity.md: those of the
shipped model between marks of their own, those of another model between the marks of the ProSparse model's. Groups may
be measured one by one, each with `--groups` and `--json`, and joined by `--report`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from host.pipeline.commands.comparison_json import as_json, joined, read_comparison
from host.pipeline.commands.comparison_picture import draw
from host.pipeline.commands.comparison_tables import comparison_page
from host.pipeline.sparsity.comparison import GROUPS, TARGETS, Comparison, compare_masks
from host.pipeline.sparsity.continuations import At, continuations
from host.pipeline.texts import text_ids
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from scripts.marked_text import rewrite_marked

__all__ = ["main", "marks"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sparsity.md"
_SHIPPED = "demo"
_PERCENT = 1.0
_FOLLOWING = "passages"  # those of CoreInfer


def marks(model: str) -> tuple[str, str, str]:
    """The lines around a model's tables, and the name of its picture."""
    name = "masks" if model == _SHIPPED else "prosparse masks"
    return (f"<!-- {name}: written by scripts.experiments.evaluate_sparsity --record -->", f"<!-- {name}: end -->",
            f"{name.replace(' ', '_')}.svg")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.evaluate_sparsity", description="All masks on the novels.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, metavar="DIR", help="folder of the novels")
    source.add_argument("--report", type=Path, nargs="+", metavar="FILE",
                        help="what host.pipeline report --json printed, or this with --groups, instead")
    parser.add_argument("--model", default=_SHIPPED, metavar="DIR",
                        help="a converted model's folder, or demo (default); says which tables are written")
    parser.add_argument("--fitting", type=int, default=512, help="tokens of Emma to fit on (default: 512)")
    parser.add_argument("--bisected", type=int, default=2048, metavar="N",
                        help="tokens of Emma for zeros at 1 %% more perplexity, 0 to leave them out (default: 2048)")
    parser.add_argument("--scored", type=int, default=1024, help="tokens of Northanger Abbey (default: 1024)")
    parser.add_argument("--targets", type=float, nargs="*", default=list(TARGETS), metavar="S",
                        help="shares of zeros to compare at (default: " + " ".join(map(str, TARGETS)) + ")")
    parser.add_argument("--groups", nargs="+", choices=(*GROUPS, _FOLLOWING), metavar="G",
                        help="inputs that are made sparse, with commas between, or passages, to leave out others")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("--record", action="store_true", help="write tables and picture into docs/")
    options = parser.parse_args(arguments)
    if options.report:
        found, followed = joined([read_comparison(path) for path in options.report])
    else:
        found, followed = _measured(options)
    page = comparison_page(found, followed, _PERCENT)
    if options.record:
        start, end, picture = marks(options.model)
        draw(found.rows, _DOCUMENT.with_name(picture))
        rewrite_marked(_DOCUMENT, start, end,
                       lambda _: f"![Perplexity over zeros, a line a method]({picture})\n\n{page}\n")
    print(json.dumps(as_json(found, followed)) if options.json else page)


def _measured(options: argparse.Namespace) -> tuple[Comparison, list[At]]:
    model, parts = load_model(options.model), options.groups or (*GROUPS, _FOLLOWING)
    emma, northanger, bible = (text_ids(model, options.data / f"{text}.txt")
                               for text in ("austen_emma", "austen_northanger_abbey", "kjv"))
    groups, found = [part for part in parts if part != _FOLLOWING], Comparison([], [], [], [], [])
    if groups:
        found = compare_masks(model, emma[:options.fitting], northanger[:options.scored], options.targets, groups,
                              percent=_PERCENT if options.bisected else None, bisected=emma[:options.bisected])
    return found, continuations(model, northanger, bible) if _FOLLOWING in parts else []


if __name__ == "__main__":
    run_command(main)
