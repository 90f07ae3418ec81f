"""`python -m host.pipeline show`: what an artefact is."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from host.pipeline.artefact import Artefact
from host.pipeline.commands.tensors import tensor_summary
from host.pipeline.methods import Methods

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction, methods: Methods) -> None:
    """Its parser."""
    parser = commands.add_parser("show", help="what an artefact is", description="What an artefact is.")
    parser.add_argument("artefact", type=Path, metavar="ARTEFACT")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    artefact = Artefact(options.artefact)
    result = {"kind": artefact.kind, "method": artefact.method, "sites": [str(site) for site in artefact.sites],
              "version": artefact.version, "model": artefact.model, "fit": artefact.fit,
              "tensors": tensor_summary(artefact.tensors())}
    if options.json:
        print(json.dumps(result))
        return
    for name in ("kind", "method", "sites", "version", "model"):
        print(f"{name:10} {', '.join(result[name]) if name == 'sites' else result[name]}")
    for name in ("fit", "tensors"):
        for key, value in result[name].items():
            print(f"{name:10} {key}: {value}")
