"""`python -m host.pipeline audit NAME`: asks one of the audits of `host/pipeline/audit/`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from host.pipeline.audit.audit import Audit, find_audits
from host.pipeline.methods import Methods

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction, methods: Methods) -> None:
    """Its parser, with one a name."""
    parser = commands.add_parser("audit", help="ask what a direction or a model is worth",
                                 description="Audits: each measures one question on the exact emulator, beside the "
                                 "control that would show it to be worth nothing.")
    names = parser.add_subparsers(dest="audit", required=True, metavar="NAME")
    for name, audit in find_audits().items():
        one = names.add_parser(name, help=audit.summary, description=audit.description)
        audit.add_options(one)
        one.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        one.set_defaults(run=_asking(audit))


def _asking(audit: type[Audit]) -> Callable[[argparse.Namespace], None]:
    def run(options: argparse.Namespace) -> None:
        found = audit.answer(options)
        print(json.dumps({"audit": audit.name} | found) if options.json else audit.page(found))
    return run
