"""Score text: `python -m host.score --model DIR --text FILE` prints how well the model predicts it."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from host.command_line import add_model_options, open_session, parse_ids
from host.runtime import Session
from host.text import Text
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.golden.head import LOGIT_FRACTION
from models.output import check_output_file
from models.text_file import read_text_file

__all__ = ["float_negative_log_likelihood", "main", "negative_log_likelihood", "parser", "perplexity", "score_windows",
           "windows"]


def windows(tokens: int, context: int) -> Iterator[tuple[int, int, int]]:
    """(start, first scored, end) of windows of the context, stride half of it, that score each position once.

    A position is a token whose successor is predicted; the last token has none.
    """
    start = scored = 0
    while scored < tokens:
        end = min(start + context, tokens)
        yield start, scored, end
        scored = end
        start = max(0, end - (context - context // 2))


def score_windows(session: Session, ids: Sequence[int],
                  on_tokens: Callable[[int], None] | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """(position, integer logits [tokens, vocab]) for runs of tokens that cover `ids` in order."""
    for start, scored, end in windows(len(ids), session.context):
        session.reset()
        if scored > start:
            session.feed(ids[start:scored])
        yield scored, session.score(ids[scored:end], on_tokens)


def negative_log_likelihood(logits: np.ndarray, targets: np.ndarray) -> float:
    """Total -log p, in nats, of targets [n] under integer logits [n, vocab]."""
    return float_negative_log_likelihood(logits / float(1 << LOGIT_FRACTION), targets)


def float_negative_log_likelihood(values: np.ndarray, targets: np.ndarray) -> float:
    """The same under float64 logits; those beyond the last target are left out."""
    values = values[:len(targets)]
    top = values.max(axis=1, keepdims=True)
    normaliser = np.log(np.exp(values - top).sum(axis=1)) + top[:, 0]
    return float((normaliser - values[np.arange(len(targets)), targets]).sum())


def perplexity(nll: float, predicted: int) -> float | None:
    """exp(nll / predicted); None where nothing was predicted, or where it leaves float64 (a model of noise)."""
    try:
        return math.exp(nll / predicted) if predicted else None
    except OverflowError:
        return None


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser("host.score", description="How well a model predicts a text.")
    add_model_options(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", type=Path, metavar="FILE", help="UTF-8 text")
    what.add_argument("--ids", metavar="1,2,3", help="token ids")
    parser.add_argument("--logits", type=Path, metavar="OUT.npy", help="write float32 logits (n, vocab)")
    return parser


def _tokens(options: argparse.Namespace, session: Session) -> tuple[list[int], int]:
    """Token ids and how many characters they stand for."""
    if options.ids is not None:
        return parse_ids(options.ids), 0
    content = read_text_file(options.text)
    text = Text(session.model.folder)
    ids = text.encode(content)
    if not ids:
        raise OptionError(f"{options.text} is empty")
    return text.before + ids, len(content)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if options.logits:
        check_output_file(options.logits)
    session = open_session(options, progress=True)
    ids, characters = _tokens(options, session)
    keep: list[np.ndarray] = []
    nll = 0.0
    with tqdm(total=len(ids), desc="scoring", unit="tok", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        for position, logits in score_windows(session, ids, bar.update):
            targets = np.asarray(ids[position + 1:position + 1 + len(logits)], dtype=np.int64)
            nll += negative_log_likelihood(logits, targets)
            if options.logits:
                keep.append((logits / float(1 << LOGIT_FRACTION)).astype(np.float32))
    if options.logits:
        with open(options.logits, "wb") as file:  # by its name alone, np.save may write to another
            np.save(file, np.concatenate(keep))
    predicted = len(ids) - 1
    result = {"tokens": len(ids), "characters": characters, "nll": nll,
              "perplexity": perplexity(nll, predicted),
              "bits_per_character": nll / math.log(2) / characters if characters else None,
              "sparsity": session.counters.sparsity, "saturations": session.saturations}
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:20} {value:.6g}" if isinstance(value, float) else f"{name:20} {value}")
    session.device.close()


if __name__ == "__main__":
    run_command(main)
