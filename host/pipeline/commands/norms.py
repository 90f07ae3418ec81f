"""`python -m host.pipeline report --kind normalisation`: the norms of a model beside each other."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from host.pipeline.comparing_norms import NormRow, compare_norms
from host.pipeline.texts import text_ids
from host.stage_options import chosen_stages
from host.text import Text
from models.checkpoint import load_model
from models.markdown import markdown_table

__all__ = ["norm_table", "run"]


def run(options: argparse.Namespace) -> None:
    """Compare, and print a table or JSON."""
    model = load_model(options.model)
    given = [stage for _, stage in chosen_stages(options, model).stages]
    ids = Text(model.folder).before + text_ids(model, options.text)[:options.tokens]
    rows = compare_norms(model, given, ids)
    if options.json:
        print(json.dumps({"scored_tokens": len(ids), "rows": [row._asdict() for row in rows]}))
    else:
        print(norm_table(rows))


def norm_table(rows: Sequence[NormRow]) -> str:
    """The rows as Markdown."""
    cells = []
    for row in rows:
        shown = "none" if row.perplexity is None else f"{row.perplexity:.2f}"
        over = "–" if row.over_first is None else f"× {row.over_first:.3f}"
        beside = "" if row.of_first is None else f" (× {row.of_first:.2f})"
        cells.append([row.method, f"{row.strength:g}", f"{row.runs}{f', {row.cuts}' if row.cuts else ''}", shown, over,
                      f"{row.tokens_per_s:.0f}{beside}"])
    return markdown_table(["norm", "strength", "runs, cuts a token", "perplexity", "over the first", "tok/s, measured"],
                          cells)
