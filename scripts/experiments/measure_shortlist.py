"""How often a shortlist holds the best token: `python -m scripts.experiments.measure_shortlist --text FILE`.

A program that scores all rows gives the true best token of each state, and the residual from which the golden model
ranks it by the ternary copy of the head: a shortlist of k holds it where its rank is k or less. Then a program that
scores a shortlist goes through the same states; its best token must be the true one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from host.command_line import add_model_options, open_session
from host.pipeline.site import Point, Site
from host.runtime import Session
from host.text import Text
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.golden.norm_quant import norm_constants, norm_quant
from models.golden.scalar import Scalar, constant, shift
from models.golden.shortlist import shortlist_scores
from models.machine.build import SHORTLIST
from models.markdown import markdown_table
from models.model import Model
from models.ternary_head import ternary_head
from models.text_file import read_text_file

__all__ = ["SIZES", "main", "ranks_of", "windows"]

SIZES = (8, 16, 32, SHORTLIST)


def windows(ids: Sequence[int], states: int, context: int, rows: int) -> list[list[list[int]]]:
    """The first `states` ids in windows of the context, each in passes of at most `rows`."""
    whole = [ids[start:min(start + context, states)] for start in range(0, states, context)]
    return [[list(window[start:start + rows]) for start in range(0, len(window), rows)] for window in whole]


def ranks_of(best: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Place, from 1, of id best[n] among scores [states, vocab], larger first, lower id first among equals."""
    own = scores[np.arange(len(best)), best][:, None]
    lower_ids = np.arange(scores.shape[1]) < best[:, None]
    return 1 + np.count_nonzero((scores > own) | ((scores == own) & lower_ids), axis=1)


def _first_pass(model: Model, residual: np.ndarray) -> np.ndarray:
    """Activations of the cheap product, int [rows, hidden], for rows of the residual."""
    rows = len(residual)
    unit = shift(constant(1), -model.residual_fraction_bits)
    gains, exponent = model.final_gains
    return norm_quant(residual.astype(np.int64), Scalar(np.repeat(unit.m, rows), np.repeat(unit.e, rows)), gains,
                      norm_constants(residual.shape[1], exponent, model.config.rms_eps))[0]


def _measure(exact: Session, listed: Session, seen: list[np.ndarray], passes: Sequence[Sequence[list[int]]]
             ) -> tuple[np.ndarray, int]:
    """Ranks of the true best tokens, and how often a shortlist's best token is the true one.

    seen: where the residual rows of a pass of `exact` appear.
    """
    model = exact.model
    copy, ranks, equal = ternary_head(model.head, model.head_scales), [], 0
    trits = copy.trits()
    with tqdm(total=sum(len(ids) for window in passes for ids in window), unit="state", leave=False, file=sys.stderr,
              disable=not sys.stderr.isatty()) as bar:
        for window in passes:
            exact.reset()
            listed.reset()
            for ids in window:
                best = exact.score_parts([(0, ids)]).argmax(axis=1)
                ranks.append(ranks_of(best, shortlist_scores(_first_pass(model, seen.pop()), trits, copy.scales)))
                tops = listed.advance([(0, ids)])
                equal += sum(int(top.ids[0] == token) for top, token in zip(tops, best, strict=True))
                bar.update(len(ids))
    return np.concatenate(ranks), equal


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.measure_shortlist",
                           description="How often a shortlist holds the best token.")
    add_model_options(parser)
    parser.add_argument("--text", type=Path, required=True, metavar="FILE", help="UTF-8 text, best one never seen")
    parser.add_argument("--states", type=int, default=2000, metavar="N", help="tokens of it (default: 2000)")
    options = parser.parse_args(arguments)
    if options.states < 1:
        raise OptionError(f"--states must be at least 1, got {options.states}")
    options.head = "exact"
    seen: list[np.ndarray] = []
    last = Point(load_model(options.model).config.layers - 1, Site.RESIDUAL)
    exact = open_session(options, progress=True, looks={last: [lambda point, rows, unit: seen.append(rows)]})
    options.head = "shortlist"
    listed = open_session(options, progress=True)
    ids = Text(exact.model.folder).encode(read_text_file(options.text))
    if len(ids) < options.states:
        raise OptionError(f"{options.text} has {len(ids)} tokens, fewer than the {options.states} states")
    ranks, equal = _measure(exact, listed, seen, windows(ids, options.states, exact.context, exact.rows))
    held = {size: int(np.count_nonzero(ranks <= size)) for size in SIZES}
    states = len(ranks)
    if options.json:
        print(json.dumps({"model": options.model, "states": states, "held": held, "best_equal": equal,
                          "mean_rank": float(ranks.mean()), "worst_rank": int(ranks.max())}))
        return
    print(f"{states} states of {options.text.name}\n")
    print(markdown_table(["rows listed", "best token among them"], (
        [str(size), f"{count} of {states}, {100 * count / states:.2f} %"] for size, count in held.items())))
    print(f"\nThe best token's rank by the ternary copy: {ranks.mean():.3f} in the mean, {ranks.max()} at worst.")
    print(f"A program that scores a shortlist of {SHORTLIST} gives it as its best {equal} of {states} times.")


if __name__ == "__main__":
    run_command(main)
