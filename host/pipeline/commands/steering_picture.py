"""Continuations moved over perplexity spent, a line a method and a field a target, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.pipeline.steering_bench.comparison import Compared, Plain
from models.figure import new_figure, write_figure

__all__ = ["draw"]


def draw(plain: Sequence[Plain], found: Sequence[Compared], path: Path) -> None:
    """Write a figure to a file, its format by its suffix. Lines begin at the plain model; controls are grey."""
    names = list(dict.fromkeys(each.method for each in found if not each.error))
    figure = new_figure(5 * len(plain), 4)
    fields = figure.subplots(1, len(plain), squeeze=False, sharey=True)
    for field, side in zip(fields[0], plain, strict=True):
        for each in found:
            if each.target != side.target or each.error:
                continue
            rows = [row for row in each.rows if row.what == "fitted" and row.budget is not None]
            costs = [100 * (row.outcome.cost.both - 1) for row in rows]
            field.errorbar([0, *costs], [100 * side.success, *(100 * row.outcome.success for row in rows)],
                           [0, *(100 * row.outcome.success_error for row in rows)], marker=".", capsize=2,
                           color=f"C{names.index(each.method)}", label=each.method)
            controls = [row for row in each.rows if row.what != "fitted"]
            field.scatter([100 * (row.outcome.cost.both - 1) for row in controls],
                          [100 * row.outcome.success for row in controls], s=8, color="0.6")
        field.set_title(f"{side.source} steered toward {side.target}", fontsize=9)
        field.set_xlabel("perplexity, held out, % more")
    fields[0][0].set_ylabel("continuations moved, %")
    figure.legend(*fields[0][0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    write_figure(figure, path)
