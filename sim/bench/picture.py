"""Where the cycles of a run go, drawn: each engine's work over time, the ports' bytes, and the shares of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.figure import new_figure, write_figure
from sim.bench.probe import PRIORITY, Timeline
from sim.bench.report import Figures

__all__ = ["draw"]

_BINS = 600  # of time
_COLOURS = {"linear": "tab:blue", "head": "tab:cyan", "attend": "tab:orange", "vector": "tab:green",
            "load": "tab:purple", "fetch": "tab:gray", "none": "lightgray"}


def draw(figures: Figures, timeline: Timeline, path: Path) -> None:
    """Write a figure to a file, its format by its suffix. `timeline`: a run of the phase that the figures are of.

    Above: the share of each slice of time in which an engine was at work, an engine a lane, and below them the bytes
    that the ports carried. Below: the cycles of the whole phase by the first engine at work, as `Figures` has them.
    `models.output.check_picture` tells beforehand whether it can be written.
    """
    engines = [engine for engine in reversed(PRIORITY) if timeline.samples[-1, engine]]
    figure = new_figure(11, 2.6 + 0.45 * len(engines))
    lanes, ports, shares = figure.subplots(3, 1, height_ratios=[len(engines), 1.6, 1.0])
    cycles = timeline.cycles
    edges = np.linspace(0, cycles[-1], _BINS + 1)
    for lane, engine in enumerate(engines):
        share = np.diff(np.interp(edges, cycles, timeline.samples[:, engine])) / np.diff(edges)
        lanes.fill_between(edges[:-1], lane, lane + 0.85 * np.clip(share, 0, 1), step="post",
                           color=_COLOURS[engine.name.lower()], linewidth=0)
    lanes.set_yticks([lane + 0.4 for lane in range(len(engines))], [engine.name.lower() for engine in engines])
    lanes.set_ylim(0, len(engines))
    rate = np.diff(np.interp(edges, cycles, timeline.bytes)) / np.diff(edges) * figures.build.clock_mhz / 1e3
    ports.fill_between(edges[:-1], rate, step="post", color="tab:red", alpha=0.6, linewidth=0)
    ports.axhline(figures.ddr_limit, color="black", linewidth=0.6)
    ports.set_ylabel("GB/s")
    workload = figures.workload
    ports.set_xlabel(f"cycles of one run: {workload.layers} of {workload.whole.layers} layers simulated")
    for axes in (lanes, ports):
        axes.set_xlim(0, cycles[-1])
    lanes.tick_params(labelbottom=False)

    left = 0.0
    counts = figures.measurement.counts
    for name in (*(engine.name.lower() for engine in PRIORITY), "none"):
        share = counts.units.get(name, 0.0) / counts.cycles
        shares.barh(0, share, left=left, color=_COLOURS[name])
        if share > 0.04:
            shares.text(left + share / 2, 0, f"{name} {100 * share:.0f} %", ha="center", va="center", fontsize=8)
        left += share
    shares.set_xlim(0, 1)
    shares.set_axis_off()
    figure.suptitle(figures.headline(), fontsize=9, wrap=True)
    write_figure(figure, path)
