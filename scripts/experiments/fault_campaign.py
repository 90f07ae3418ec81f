"""A model under wrong bits, with and without clips: `python -m scripts.experiments.fault_campaign --data DIR --record`.

ProAct's bounds are found on Emma; perplexity is that of the start of Northanger Abbey, both as the emulator executes
them. What has wrong bits, and how: `scripts.experiments.fault_curves`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from host.pipeline.resilience.proact import ProAct
from host.pipeline.stage import Stage
from host.pipeline.texts import text_ids
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.figure import new_figure, write_figure
from models.json_file import read_object
from models.markdown import markdown_table
from scripts.experiments.fault_curves import (
    PLACES,
    RATES,
    Cell,
    area_ratio,
    excess_area,
    measure,
    standard_error,
)
from scripts.marked_text import rewrite_marked

__all__ = ["cells_of", "main", "plot", "table"]

_DOCS = Path(__file__).resolve().parents[2] / "docs"
_DOCUMENT, _FIGURE = _DOCS / "normalisation.md", _DOCS / "faults.svg"
_START, _END = "<!-- faults: written by scripts.experiments.fault_campaign --record -->", "<!-- faults: end -->"
_PLAIN = "none"
_PROACT_ERROR, _PROACT_FACTOR = (ProAct.options[name].default for name in ("error", "factor"))


def table(cells: Sequence[Cell]) -> str:
    """Markdown: perplexity by place, clip and rate; then the areas."""
    rates = sorted({cell.rate for cell in cells})
    lines, areas = [], []
    names = list(dict.fromkeys(cell.stages for cell in cells))
    for place in PLACES:
        for name in names:
            line = sorted((cell for cell in cells if (cell.place, cell.stages) == (place, name)), key=lambda c: c.rate)
            lines.append([place, name, *map(_perplexity, line)])
            [last] = [cell for cell in cells if (cell.place, cell.stages, cell.rate) == (place, name, rates[-1])]
            (ratio, of_ratio), (above, of_above) = (
                area(cells, place, name, _PLAIN) for area in (area_ratio, excess_area))
            invalid = f"{last.invalid / len(last.nll):.0f}" if place == "weights" else "–"
            areas.append([place, name, f"{ratio:.3f} ± {of_ratio:.3f}", f"{above:.3f} ± {of_above:.3f}",
                          f"{last.flips / len(last.nll):.0f}", invalid])
    heads = ["wrong bits in", "clip"]
    return "\n\n".join([
        markdown_table([*heads, *(f"{rate:.0e}" if rate else "none" for rate in rates)], lines),
        markdown_table([*heads, "area over that without clips", "area above the faultless model's",
                        f"wrong bits a run at {rates[-1]:.0e}", "bytes that are invalid then"], areas)])


def _perplexity(cell: Cell) -> str:
    """exp of the mean of ln perplexity, and what a standard error above and below is of it."""
    middle, error = mean(cell.nll), standard_error(cell.nll)
    return f"{math.exp(middle):.4g}" + (f" (± {math.expm1(error):.1%})" if len(cell.nll) > 1 else "")


def plot(cells: Sequence[Cell], path: Path) -> None:
    """Write the curves to a file, one picture a place. Needs matplotlib."""
    figure = new_figure(10, 3.2)
    axes = figure.subplots(1, len(PLACES), sharey=True)
    for axis, place in zip(axes, PLACES, strict=True):
        for name in dict.fromkeys(cell.stages for cell in cells):
            line = [cell for cell in cells if (cell.place, cell.stages) == (place, name) and cell.rate]
            axis.errorbar([cell.rate for cell in line], [mean(cell.nll) for cell in line],
                          [standard_error(cell.nll) for cell in line], label=name, marker="o", markersize=3, capsize=2)
        axis.set_xscale("log")
        axis.set_title(place)
        axis.set_xlabel("rate of wrong bits")
    axes[0].set_ylabel("ln perplexity")
    axes[0].legend(title="clip")
    write_figure(figure, path)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.experiments.fault_campaign", description="A model under wrong bits.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, metavar="DIR", help="folder of the novels")
    source.add_argument("--report", type=Path, metavar="FILE", help="what this command printed with --json, instead")
    parser.add_argument("--model", default="demo", metavar="DIR", help="a converted model's folder, or demo (default)")
    parser.add_argument("--fitting", type=int, default=512, help="tokens of Emma to find bounds on (default: 512)")
    parser.add_argument("--scored", type=int, default=128, help="tokens of Northanger Abbey (default: 128)")
    parser.add_argument("--draws", type=int, default=5, help="of each rate, with seeds 0, 1, ... (default: 5)")
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES), metavar="P",
                        help="probabilities of a wrong bit, ascending (default: " + " ".join(map(str, RATES)) + ")")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("--record", action="store_true", help="write table and curves into docs")
    options = parser.parse_args(arguments)
    if options.scored < 2 or options.draws < 1:
        raise OptionError("--scored must be at least 2 and --draws at least 1")
    if not all(0 < rate <= 1 for rate in options.rates) or options.rates != sorted(set(options.rates)):
        raise OptionError("--rates must ascend within 0 and 1")
    if len(options.rates) < 2:
        raise OptionError("--rates must be at least two")
    cells = cells_of(options.report) if options.report else _measured(options)
    if options.record:
        rewrite_marked(_DOCUMENT, _START, _END, lambda _: table(cells))
        plot(cells, _FIGURE)
    print(json.dumps({"cells": [cell._asdict() for cell in cells]}) if options.json else table(cells))


def _measured(options: argparse.Namespace) -> list[Cell]:
    model = load_model(options.model)
    ids = text_ids(model, options.data / "austen_northanger_abbey.txt")[:options.scored]
    choices: dict[str, list[Stage]] = {_PLAIN: []}
    for above in ("bound", "zero"):
        fitted = ProAct.fit(model, error=_PROACT_ERROR, above=above, factor=_PROACT_FACTOR,
                            text=options.data / "austen_emma.txt", tokens=options.fitting)
        choices[f"to {above}"] = [ProAct.load(fitted.tensors)]
    return measure(model, choices, ids, options.rates, options.draws)


def cells_of(path: Path) -> list[Cell]:
    """The cells of a campaign's JSON; `OptionError` for another file."""
    try:
        return [Cell(**cell) for cell in read_object(path)["cells"]]
    except (KeyError, TypeError):
        raise OptionError(f"{path} is not what scripts.experiments.fault_campaign --json prints") from None


if __name__ == "__main__":
    run_command(main)
