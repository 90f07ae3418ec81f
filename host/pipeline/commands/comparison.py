"""`python -m host.pipeline report --kind sparsity`: a table of all masks on a model, with their controls."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from host.pipeline.sparsity.comparison import TARGETS, Row, compare_masks
from host.pipeline.texts import text_ids
from host.text import Text
from models.checkpoint import load_model
from models.errors import OptionError

__all__ = ["add_options", "comparison_table", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of a comparison."""
    group = parser.add_argument_group("all masks beside each other, on the emulator")
    group.add_argument("--kind", choices=("sparsity",), help="compare the methods of this kind, instead of --stage")
    group.add_argument("--fit", type=Path, metavar="FILE",
                       help="text to find settings on (default: the first half of --text, which is then not scored)")
    group.add_argument("--tokens", type=int, default=2048, help="of each text at most (default: 2048)")
    group.add_argument("--targets", type=float, nargs="+", default=list(TARGETS), metavar="S",
                       help="shares of zeros to compare at (default: " + " ".join(map(str, TARGETS)) + ")")


def run(options: argparse.Namespace) -> None:
    """Compare, and print a table or JSON."""
    if not options.text:
        raise OptionError("report --kind needs --text")
    if options.stage:
        raise OptionError("report takes --kind or --stage: a comparison fits its own")
    if options.tokens < 2 or not all(0 < target < 1 for target in options.targets):
        raise OptionError("--tokens must be at least 2 and --targets lie between 0 and 1")
    model = load_model(options.model)
    ids = text_ids(model, options.text)
    fitting = text_ids(model, options.fit) if options.fit else ids[:len(ids) // 2]
    scored = Text(model.folder).before + (ids if options.fit else ids[len(ids) // 2:])[:options.tokens]
    if len(fitting) < 2 or len(scored) < 2:
        raise OptionError(f"{options.text} is too short to compare masks on")
    rows = compare_masks(model, fitting[:options.tokens], scored, options.targets)
    if options.json:
        print(json.dumps({"fitted_tokens": len(fitting[:options.tokens]), "scored_tokens": len(scored),
                          "rows": [row._asdict() for row in rows]}))
    else:
        print(comparison_table(rows))


def comparison_table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| sparse inputs | asked for | method | zeros | layer error | perplexity | over plain | runs, cuts |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        target = "–" if row.target is None else f"{row.target:g}"
        shown = "none" if row.perplexity is None else f"{row.perplexity:.2f}"
        lines.append(f"| {row.group.replace(',', ', ')} | {target} | {row.method} | {row.zeros:.3f} "
                     f"| {row.layer_error:.3f} | {shown} | × {row.over_plain:.3f} "
                     f"| {row.runs}{f', {row.cuts}' if row.cuts else ''} |")
    return "\n".join(lines)
