"""Perplexity over realised zeros, a line a method and a field a group of inputs, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.pipeline.sparsity.comparison import Row
from models.figure import new_figure, write_figure

__all__ = ["draw"]


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write a figure to a file, its format by its suffix. Lines begin at the model without a mask."""
    groups = list(dict.fromkeys(row.group for row in rows))
    colours = {name: f"C{at}" for at, name in enumerate(dict.fromkeys(row.method for row in rows
                                                                      if row.target is not None))}
    figure = new_figure(4 * len(groups), 4)
    fields = figure.subplots(1, len(groups), squeeze=False)
    for field, group in zip(fields[0], groups, strict=True):
        there = [row for row in rows if row.group == group]
        [plain] = [row for row in there if row.target is None]
        field.axhline(plain.perplexity or 0, color="black", linewidth=0.6)
        for name, colour in colours.items():
            line = [plain, *(row for row in there if row.method == name)]
            if len(line) > 1:
                field.plot([row.zeros for row in line], [row.perplexity for row in line], marker=".", color=colour,
                           label=name)
        field.set_title(group.replace(",", ", "), fontsize=9)
        field.set_xlabel("zeros among these inputs")
        field.set_yscale("log")
    fields[0][0].set_ylabel("perplexity, held out")
    figure.legend(*_labels(fields[0]), loc="outside right center", fontsize=8)
    write_figure(figure, path)


def _labels(fields: Sequence) -> tuple[list, list]:
    found = {}
    for field in fields:
        for handle, label in zip(*field.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)
