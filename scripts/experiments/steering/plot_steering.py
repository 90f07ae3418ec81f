"""Draws what `evaluate_steering` measured: shift and perplexity against strength, one row a direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["plot"]

_COLOURS = {"steered": "tab:blue", "shuffled": "tab:orange", "random": "tab:gray"}


def plot(outcomes: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write a figure of outcomes (fields of `evaluate_steering.Outcome`) to a file. Needs matplotlib."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    targets = sorted({o["target"] for o in outcomes}, reverse=True)
    figure, axes = pyplot.subplots(len(targets), 2, figsize=(9, 3.2 * len(targets)), sharex=True, squeeze=False)
    for (shift_axes, cost_axes), target in zip(axes, targets, strict=True):
        for kind, colour in _COLOURS.items():
            for index in sorted({o["vector"] for o in outcomes if o["kind"] == kind}):
                line = sorted((o for o in outcomes if (o["kind"], o["vector"], o["target"]) == (kind, index, target)),
                              key=lambda o: o["strength"])
                strengths = [o["strength"] for o in line]
                label = kind if index == 0 else None
                shift_axes.errorbar(strengths, [o["shift"] for o in line], [o["error"] for o in line], color=colour,
                                    label=label, marker="o", markersize=3, capsize=2)
                costs = [np.exp(np.mean(np.log(list(o["perplexity"].values())))) for o in line]
                cost_axes.plot(strengths, costs, color=colour, label=label, marker="o", markersize=3)
        shift_axes.axhline(0, color="black", linewidth=0.5)
        shift_axes.set_title(f"toward {target}")
        shift_axes.set_ylabel("shift, nats a word")
        cost_axes.set_title(f"toward {target}")
        cost_axes.set_ylabel("perplexity over the plain model's")
    for axis in axes[-1]:
        axis.set_xlabel("strength")
    axes[0, 0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
