"""`python -m host.pipeline report`: where stages run on a model, and what they cost and change."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from host.command_line import add_model_options, open_model, start_session
from host.pipeline.commands import comparison, norms, steering
from host.pipeline.methods import Methods
from host.pipeline.placement import place
from host.pipeline.texts import text_ids
from host.runtime import Session
from host.scoring import perplexity, total_nll
from host.stage_options import Chosen, chosen_stages, stage_line
from host.text import Text
from models.errors import OptionError

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction, methods: Methods) -> None:
    """Its parser."""
    parser = commands.add_parser("report", help="where stages run and what they change",
                                 description="Where stages run on a model, their cuts a token, and with --text what "
                                 "they do to perplexity and to the share of zeros. With --kind all "
                                 "methods of a kind beside each other.")
    add_model_options(parser)
    parser.add_argument("--text", type=Path, metavar="FILE", help="score this text without and with the stages")
    comparison.add_options(parser)
    steering.add_options(parser)
    parser.set_defaults(run=lambda options: _run(options, methods))


def _run(options: argparse.Namespace, methods: Methods) -> None:
    if options.kind == "steering":
        steering.run(options, methods)
        return
    if options.kind:
        if not options.text:
            raise OptionError(f"report --kind {options.kind} needs --text")
        if options.tokens < 2:
            raise OptionError(f"--tokens must be at least 2, got {options.tokens}")
        (comparison if options.kind == "sparsity" else norms).run(options)
        return
    if not options.stage:
        raise OptionError("report needs at least one --stage")
    model = open_model(options)
    chosen = chosen_stages(options, model)
    result: dict[str, Any] = {"stages": chosen.report(model), "cuts": chosen.placement.cuts()}
    if options.text:
        ids = Text(model.folder).before + text_ids(model, options.text)
        for name, stages in (("plain", Chosen([], place([], model))), ("with_stages", chosen)):
            session = start_session(options, model, stages, progress=True)
            result[name] = {"tokens": len(ids), **_score(session, ids, name)}
            session.device.close()
    if options.json:
        print(json.dumps(result))
    else:
        _print(result)


def _score(session: Session, ids: Sequence[int], name: str) -> dict[str, object]:
    session.counts_zeros = True
    with tqdm(total=len(ids), desc=name, unit="tok", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        nll = total_nll(session, ids, bar.update)
    return {"nll": nll, "perplexity": perplexity(nll, len(ids) - 1), "sparsity": session.counters.sparsity,
            "saturations": session.saturations}


def _print(result: Mapping[str, Any]) -> None:
    for row in result["stages"]:
        print(stage_line(row))
    print(f"{result['cuts']} cuts a token in all")
    for name in ("plain", "with_stages"):
        if name in result:
            found = result[name]
            shown = "none" if found["perplexity"] is None else f"{found['perplexity']:.4g}"
            print(f"{name.replace('_', ' '):11} perplexity {shown}, share of zeros {found['sparsity']:.3f}")
