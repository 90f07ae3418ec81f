"""Activation Beacon against a window with sinks: `python -m scripts.experiments.evaluate_beacon --data DIR
--beacons DIR --window DIR --record`.

Each ratio of beacons beside a window of as many rows, rows kept at random and the full cache, on a novel that no model
saw: recall of a passage from afar and perplexity, by the exact emulator. `--beacons` and `--window` are models of
`models.train.beacons`, converted. `--record` writes the tables into docs/beacon.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from host.context.recall import PASSAGE, Draw, Kept, draw_texts, measure_kept
from host.context.rows import row_bytes
from host.context.scheduled import ScheduledText
from host.devices.emulator import EmulatorDevice
from host.pipeline.texts import text_ids
from host.runtime import Session
from models.checkpoint import TOKENIZER, Model, load_model
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.eviction import BEACON_CHARACTER, Schedule, beacons, everything, random_rows, window
from models.golden.head import LOGIT_FRACTION
from models.machine.build import CPU
from models.markdown import markdown_table
from models.vocabulary.tokenizer_json import load_tokenizer
from scripts.marked_text import rewrite_marked

__all__ = ["Way", "difference_table", "main", "table", "ways"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "beacon.md"
_MARKS = "<!-- beacon: written by scripts.experiments.evaluate_beacon --record -->", "<!-- beacon: end -->"
_HELD_OUT = "austen_northanger_abbey"
_SINKS = 4


class Way(NamedTuple):
    """A way to keep rows. model: whose, "beacons", "window" or "shipped". ratio: None for what is compared with all."""

    name: str
    model: str
    ratio: int | None
    schedule: Schedule


class Measured(NamedTuple):
    """A way by the emulator and by the float network; cache_bytes: of its rows at most."""

    way: Way
    cache_bytes: int
    exact: Kept
    float32: Kept


def ways(tokens: int, unit: int, ratios: Sequence[int]) -> list[Way]:
    """All that are compared."""
    found = []
    for ratio in ratios:
        condensed = beacons(tokens, unit, [ratio])
        found += [Way("beacons", "beacons", ratio, condensed),
                  Way("window with sinks", "window", ratio, window(tokens, unit, condensed.peak, _SINKS)),
                  Way("random rows", "window", ratio,
                      random_rows(tokens, unit, ratio, _SINKS, np.random.default_rng(0)))]
    return [*found, Way("unit and sinks alone", "window", None, window(tokens, unit, unit + _SINKS, _SINKS)),
            Way("full cache", "window", None, everything(tokens)),
            Way("full cache, shipped model", "shipped", None, everything(tokens))]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.evaluate_beacon", description=__doc__.partition(":")[0],
                           formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help=f"folder of {_HELD_OUT}.txt")
    parser.add_argument("--beacons", required=True, metavar="DIR", help="model trained with --rows beacons")
    parser.add_argument("--window", required=True, metavar="DIR", help="model trained with --rows window")
    parser.add_argument("--tokens", type=int, default=256, help="of a text (default: 256)")
    parser.add_argument("--unit", type=int, default=32, help="tokens after which rows leave (default: 32)")
    parser.add_argument("--ratios", type=int, nargs="+", default=[2, 4, 8], metavar="R", help="(default: 2 4 8)")
    parser.add_argument("--distances", type=int, nargs="+", default=[64, 128, 224], metavar="N",
                        help="tokens from a passage to itself (default: 64 128 224)")
    parser.add_argument("--draws", type=int, default=24, help="texts of each kind (default: 24)")
    parser.add_argument("--record", action="store_true", help="write the tables into docs/beacon.md")
    options = parser.parse_args(arguments)
    if options.draws < 2:
        raise OptionError("a standard error needs at least two draws")
    models = {name: load_model(getattr(options, name)) for name in ("beacons", "window")}
    models["shipped"] = load_model("demo")
    model, compared = models["window"], ways(options.tokens, options.unit, options.ratios)
    draws = draw_texts(text_ids(model, options.data / f"{_HELD_OUT}.txt"), options.tokens, options.distances,
                       options.draws, first=model.config.bos_id or 0)
    texts = 2 * len(compared) * len(draws) * (1 + len(options.distances))
    with tqdm(total=texts, unit="text", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        measured = [_measure(models[way.model], way, draws, bar) for way in compared]
    written = f"{_how(options)}\n\n{table(measured)}\n\n{difference_table(measured)}"
    print(written)
    if options.record:
        rewrite_marked(_DOCUMENT, *_MARKS, lambda _: written)


def _measure(model: Model, way: Way, draws: Sequence[Draw], bar: tqdm) -> Measured:
    from models.train.evicting import EvictingBitNet, scheduled_logits
    from models.train.initial import network_of

    beacon = load_tokenizer(model.folder / TOKENIZER).token_to_id(BEACON_CHARACTER)
    network = EvictingBitNet((plain := network_of(model)).shape).eval()
    network.load_state_dict(plain.state_dict())
    session = Session(model, EmulatorDevice(CPU))

    def exact(ids: Sequence[int]) -> np.ndarray:
        return ScheduledText(session, way.schedule, beacon).append(ids) / float(1 << LOGIT_FRACTION)

    def float32(ids: Sequence[int]) -> np.ndarray:
        return scheduled_logits(network, ids, way.schedule, beacon).astype(np.float64)

    bar.set_description(f"{way.name} {way.ratio or ''}")
    return Measured(way, way.schedule.peak * row_bytes(session), measure_kept(exact, draws, bar.update),
                    measure_kept(float32, draws, bar.update))


def _how(options: argparse.Namespace) -> str:
    return (f"{options.draws} texts of {options.tokens} tokens from *Northanger Abbey*, units of {options.unit}. "
            f"Recall: of {PASSAGE} words drawn at random that stand twice, so many tokens apart, the share that is the "
            "likeliest the second time, the first of them left out. Perplexity: of the second half of the text as it "
            "is written. ± is a standard error over texts; behind the slash stands the float network.")


def _share(shares: np.ndarray) -> str:
    return f"{shares.mean():.0%} ± {_error(shares) * 100:.1f}"


def _perplexity(nll: np.ndarray) -> str:
    middle = float(np.exp(nll.mean()))
    return f"{middle:.2f} ± {middle * _error(nll):.2f}"


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / len(values)**0.5)


def table(measured: Sequence[Measured]) -> str:
    """Markdown: every way, exact, the float network's figures behind a slash where they are means."""
    rows = []
    for way, cache_bytes, exact, float32 in measured:
        recall = [f"{_share(shares)} / {float32.recall[distance].mean():.0%}"
                  for distance, shares in exact.recall.items()]
        rows.append([str(way.ratio or "–"), way.name, str(way.schedule.peak), f"{cache_bytes:,}", *recall,
                     f"{_perplexity(exact.nll)} / {np.exp(float32.nll.mean()):.2f}"])
    heads = [f"recall at {distance}" for distance in measured[0].exact.recall]
    return markdown_table(["ratio", "what stays", "rows", "cache bytes", *heads, "perplexity"], rows)


def difference_table(measured: Sequence[Measured]) -> str:
    """Markdown: beacons less the window of as many rows, text by text."""
    by_name = {(found.way.name, found.way.ratio): found.exact for found in measured}
    rows = []
    for ratio in sorted({ratio for _, ratio in by_name if ratio}):
        mine, other = by_name["beacons", ratio], by_name["window with sinks", ratio]
        recall = [_points(mine.recall[distance] - other.recall[distance]) for distance in mine.recall]
        apart = mine.nll - other.nll
        rows.append([str(ratio), *recall, f"{apart.mean():+.3f} ± {_error(apart):.3f}"])
    heads = [f"recall at {distance}, points" for distance in measured[0].exact.recall]
    return markdown_table(["beacons less window, ratio", *heads, "nats a token"], rows)


def _points(apart: np.ndarray) -> str:
    return f"{apart.mean() * 100:+.1f} ± {_error(apart) * 100:.1f}"


if __name__ == "__main__":
    run_command(main)
