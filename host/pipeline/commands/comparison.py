"""`python -m host.pipeline report --kind sparsity`: all masks on a model beside each other, with their controls."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from host.pipeline.commands.comparison_json import as_json
from host.pipeline.commands.comparison_picture import draw
from host.pipeline.commands.comparison_tables import comparison_page
from host.pipeline.sparsity.comparison import TARGETS, compare_masks
from host.pipeline.sparsity.continuations import continuations
from host.pipeline.texts import text_ids
from host.text import Text
from models.checkpoint import load_model
from models.errors import OptionError
from models.output import check_picture

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of a comparison."""
    group = parser.add_argument_group("all masks beside each other, on the emulator")
    group.add_argument("--kind", choices=("sparsity", "normalisation", "steering"),
                       help="compare the methods of this kind; of normalisation also those of --stage")
    group.add_argument("--fit", type=Path, metavar="FILE",
                       help="text to find settings on (default: the first half of --text, which is then not scored)")
    group.add_argument("--tokens", type=int, default=2048, help="of each text at most (default: 2048)")
    group.add_argument("--targets", type=float, nargs="+", default=list(TARGETS), metavar="S",
                       help="shares of zeros to compare at (default: " + " ".join(map(str, TARGETS)) + ")")
    group.add_argument("--ppl", type=float, metavar="P",
                       help="also bisect each method's zeros at P percent more perplexity")
    group.add_argument("--switch", type=Path, metavar="FILE",
                       help="also let this text follow CoreInfer's prompts, instead of their own")
    group.add_argument("--plot", type=Path, metavar="FILE", help="draw the comparison (.png, .svg, .pdf)")


def run(options: argparse.Namespace) -> None:
    """Compare, and print tables or JSON."""
    if options.stage:
        raise OptionError("report takes --kind or --stage: a comparison fits its own")
    if not all(0 < target < 1 for target in options.targets):
        raise OptionError("--targets must lie between 0 and 1")
    if options.ppl is not None and not options.ppl > 0:
        raise OptionError(f"--ppl must be above 0, got {options.ppl:g}")
    if options.plot:
        check_picture(options.plot)
    model = load_model(options.model)
    ids = text_ids(model, options.text)
    fitting = (text_ids(model, options.fit) if options.fit else ids[:len(ids) // 2])[:options.tokens]
    rest = ids if options.fit else ids[len(ids) // 2:]
    scored = Text(model.folder).before + rest[:options.tokens]
    if len(fitting) < 2 or len(scored) < 2:
        raise OptionError(f"{options.text} is too short to compare masks on")
    other = text_ids(model, options.switch) if options.switch else None
    found = compare_masks(model, fitting, scored, options.targets, percent=options.ppl)
    followed = continuations(model, rest, other)
    if options.plot:
        draw(found.rows, options.plot)
    if options.json:
        sizes = {"fitted_tokens": len(fitting), "scored_tokens": len(scored)}
        print(json.dumps(sizes | as_json(found, followed)))
    else:
        print(comparison_page(found, followed, options.ppl))
