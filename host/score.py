"""Score text: `python -m host.score --model DIR --text FILE` prints how well the model predicts it."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from host.command_line import add_model_options, open_model, parse_ids, start_session
from host.control_tokens import add_magic_option, control_token
from host.runtime import Session
from host.scoring import perplexity, total_nll
from host.stage_options import chosen_stages, stage_line
from host.text import Text
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.golden.head import LOGIT_FRACTION
from models.output import check_output_file
from models.text_file import read_standard_input, read_text_file

__all__ = ["main", "parser"]


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser("host.score", description="How well a model predicts a text.")
    add_model_options(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", type=Path, metavar="FILE", help="UTF-8 text, - for standard input")
    what.add_argument("--ids", metavar="1,2,3", help="token ids")
    add_magic_option(parser)
    parser.add_argument("--logits", type=Path, metavar="OUT.npy", help="write float32 logits (n, vocab)")
    return parser


def _tokens(options: argparse.Namespace, session: Session) -> tuple[list[int], int]:
    """Token ids and how many characters they stand for."""
    if options.ids is not None:
        return parse_ids(options.ids), 0
    piped = str(options.text) == "-"
    content = read_standard_input().replace("\r\n", "\n") if piped else read_text_file(options.text)
    text = Text(session.model.folder)
    ids = text.encode(content)
    if not ids:
        raise OptionError(f"{'standard input' if piped else options.text} is empty")
    return text.before + ids, len(content)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if options.logits:
        check_output_file(options.logits)
    model = open_model(options)
    chosen = chosen_stages(options, model)
    session = start_session(options, model, chosen, progress=True)
    session.counts_zeros = True
    ids, characters = _tokens(options, session)
    token = control_token(model.folder, options.magic)
    keep: list[np.ndarray] = []

    def keep_logits(logits: np.ndarray) -> None:
        keep.append((logits / float(1 << LOGIT_FRACTION)).astype(np.float32))

    with tqdm(total=len(ids), desc="scoring", unit="tok", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        nll = total_nll(session, ids, bar.update, keep_logits if options.logits else None,
                        [] if token is None else [token])
    if options.logits:
        with open(options.logits, "wb") as file:  # by its name alone, np.save may write to another
            np.save(file, np.concatenate(keep))
    predicted = len(ids) - 1
    result: dict[str, Any] = {"tokens": len(ids), "characters": characters, "nll": nll,
              "perplexity": perplexity(nll, predicted),
              "bits_per_character": nll / math.log(2) / characters if characters else None,
              "sparsity": session.counters.sparsity, "weight_bytes": session.counters.weight_bytes,
              "weight_bytes_read": session.counters.weight_bytes_read, "saturations": session.saturations,
              "stages": chosen.report(model)}
    if options.json:
        print(json.dumps(result))
    else:
        for row in result.pop("stages"):
            print(stage_line(row))
        for name, value in result.items():
            print(f"{name:20} {value:.6g}" if isinstance(value, float) else f"{name:20} {value}")
    session.device.close()


if __name__ == "__main__":
    run_command(main)
