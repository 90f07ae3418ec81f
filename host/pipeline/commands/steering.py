"""`python -m host.pipeline report --kind steering`: all steering methods on a model beside each other."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from tqdm import tqdm

from host.pipeline.commands.steering_picture import draw
from host.pipeline.commands.steering_tables import steering_page
from host.pipeline.methods import Methods
from host.pipeline.steering_bench.comparison import Settings, comparable, compare
from models.errors import OptionError
from models.output import check_picture

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of a comparison."""
    group = parser.add_argument_group("all steering methods beside each other, on the emulator")
    for side in ("toward", "away"):
        manner = "the wanted manner" if side == "toward" else "the other manner"
        group.add_argument(f"--{side}", type=Path, metavar="FILE",
                           help=f"text in {manner}; every other block is fitted on, the rest teaches the judge")
        group.add_argument(f"--held-out-{side}", type=Path, metavar="FILE",
                           help=f"text in {manner} that the model never saw: prompts, and perplexity")
    group.add_argument("--method", nargs="+", metavar="M", dest="only", help="these methods alone (default: all)")
    group.add_argument("--prompts", type=int, default=Settings._field_defaults["prompts"],
                       help="prompts of either manner (default: %(default)s)")
    group.add_argument("--new-tokens", type=int, default=Settings._field_defaults["new_tokens"],
                       help="tokens after each (default: %(default)s)")
    group.add_argument("--windows", type=int, default=Settings._field_defaults["windows"],
                       help="windows of half a context of either manner that perplexity is measured on "
                       "(default: %(default)s)")
    group.add_argument("--draws", type=int, default=Settings._field_defaults["draws"],
                       help="random and label-shuffled controls of each method (default: %(default)s)")
    group.add_argument("--jobs", type=int, default=os.cpu_count() or 1,
                       help="processes (default: as many as processors)")


def run(options: argparse.Namespace, methods: Methods) -> None:
    """Compare, and print tables or JSON."""
    texts = [options.toward, options.away, options.held_out_toward, options.held_out_away]
    if not all(texts):
        raise OptionError("report --kind steering needs --toward, --away, --held-out-toward and --held-out-away")
    for name, least in (("prompts", 2), ("new-tokens", 1), ("windows", 1), ("draws", 0), ("jobs", 1)):
        if (value := getattr(options, name.replace("-", "_"))) < least:
            raise OptionError(f"--{name} must be at least {least}, got {value}")
    if options.plot:
        check_picture(options.plot)
    known = [cls.method for cls in comparable(methods)]
    for name in options.only or ():
        if name not in known:
            raise OptionError(f"unknown steering method {name!r}; known: {', '.join(known)}")
    names = options.only or known
    settings = Settings(options.model, options.toward, options.away, (options.held_out_toward, options.held_out_away),
                        options.prompts, options.new_tokens, options.windows, draws=options.draws,
                        methods=Path(options.methods) if options.methods else None)
    with tqdm(total=2 * len(names), desc="steering", unit="sweep", file=sys.stderr,
              disable=not sys.stderr.isatty()) as bar:
        plain, found = compare(settings, names, jobs=options.jobs, on_done=lambda _: bar.update())
    if options.plot:
        draw(plain, found, options.plot)
    if options.json:
        print(json.dumps({"plain": [side._asdict() for side in plain], "methods": [each.as_json() for each in found]}))
    else:
        print(steering_page(plain, found))
