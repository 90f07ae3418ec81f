"""A model trained for sparse products beside its twin: `python -m scripts.experiments.evaluate_prosparse --data DIR
--twin DIR --sparse DIR --record`.

Perplexity, int8 zeros at `down` and dead neurons on the start of a novel that neither saw, by the exact emulator; both
also behind thresholds at `down`, fitted for the same rise of perplexity on another novel.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.placement import host_steps, place
from host.pipeline.site import Point, Site, points_of
from host.pipeline.sparsity.calibration import to_perplexity
from host.pipeline.sparsity.teal import Teal
from host.pipeline.stage import Stage
from host.pipeline.texts import text_ids
from host.runtime import Session
from host.scoring import perplexity, total_nll
from models.checkpoint import Model, load_model
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.golden.norm_quant import quantise
from models.golden.scalar import Scalar
from models.machine.build import CPU
from models.markdown import markdown_table
from scripts.marked_text import rewrite_marked

__all__ = ["Row", "look_at", "main", "table"]

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sparsity.md"
_START = "<!-- prosparse: written by scripts.experiments.evaluate_prosparse --record -->"
_END = "<!-- prosparse: end -->"


class Row(NamedTuple):
    """zeros: share of int8 zeros at `down`, each layer's in `layers`. dead: share of neurons that are zero there at
    every token."""

    name: str
    perplexity: float
    zeros: float
    dead: float
    layers: list[float]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.evaluate_prosparse",
                           description="A model trained for sparse products beside its twin.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the novels")
    parser.add_argument("--twin", required=True, metavar="DIR", help="converted model, trained without --l1")
    parser.add_argument("--sparse", required=True, metavar="DIR", help="converted model, trained with it")
    parser.add_argument("--fitting", type=int, default=512, help="tokens of Emma to fit on (default: 512)")
    parser.add_argument("--scored", type=int, default=2048, help="tokens of Northanger Abbey (default: 2048)")
    parser.add_argument("--ppl", type=float, default=1.0, help="percents of the thresholds (default: 1)")
    parser.add_argument("--record", action="store_true", help="write the table into docs/sparsity.md")
    options = parser.parse_args(arguments)
    if not 0 < options.ppl < np.inf:
        raise OptionError(f"--ppl must be above 0, got {options.ppl}")
    rows = [_plain("shipped model", load_model("demo"), options.data, options.scored)]
    for name, folder in (("ReLU² twin", options.twin), ("ProSparse", options.sparse)):
        model = load_model(folder)
        rows.append(_plain(name, model, options.data, options.scored))
        emma = text_ids(model, options.data / "austen_emma.txt")[:options.fitting]
        fits = Teal.fits(model, emma, sites=str(Site.DOWN))
        stage = to_perplexity(fits, model, emma, options.ppl).stage
        rows.append(look_at(f"{name}, thresholds", model, _novel(model, options.data, options.scored), [stage]))
    how = (f"First {options.scored:,} tokens of *Northanger Abbey*; thresholds cost {options.ppl:g} % perplexity on "
           f"the first {options.fitting:,} of *Emma*.")
    text = f"{how}\n\n{table(rows)}"
    print(text)
    if options.record:
        rewrite_marked(_DOCUMENT, _START, _END, lambda _: text)


def _novel(model: Model, data: Path, scored: int) -> list[int]:
    return list(text_ids(model, data / "austen_northanger_abbey.txt")[:scored])


def _plain(name: str, model: Model, data: Path, scored: int) -> Row:
    return look_at(name, model, _novel(model, data, scored), [])


def look_at(name: str, model: Model, ids: Sequence[int], stages: Sequence[Stage]) -> Row:
    """Score `ids` under stages and count what is zero at `down`."""
    shape = model.config.layers, model.config.ffn_size
    alive, rows = np.zeros(shape, np.int64), np.zeros(shape[0], np.int64)

    def look(point: Point, values: np.ndarray, unit: Scalar) -> None:
        q = quantise(values, unit)[0]
        alive[point.layer] += np.count_nonzero(q, axis=0)
        rows[point.layer] += len(q)

    placement = place(stages, model)
    steps = host_steps(placement, model, {point: [look] for point in points_of(Site.DOWN, model.config)})
    session = Session(model, EmulatorDevice(CPU), taps=placement.taps, host_steps=steps)
    found = perplexity(total_nll(session, ids), len(ids) - 1)
    if found is None:
        raise OptionError(f"{name} predicts nothing of the text")
    layers = 1 - alive.sum(axis=1) / (rows * shape[1])
    return Row(name, found, float(layers.mean()), float((alive == 0).mean()), layers.tolist())


def table(rows: Sequence[Row]) -> str:
    """Markdown; the second row is the twin that perplexities are compared with."""
    twin = rows[1].perplexity
    return markdown_table(
        ["model", "perplexity", "of the twin's", "int8 zeros at `down`", "lowest and highest layer", "dead neurons"],
        ([row.name, f"{row.perplexity:.2f}", f"× {row.perplexity / twin:.3f}", f"{row.zeros:.1%}",
          f"{min(row.layers):.1%}, {max(row.layers):.1%}", f"{row.dead:.1%}"] for row in rows))


if __name__ == "__main__":
    run_command(main)
