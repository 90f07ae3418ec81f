"""Where the cycles of a run go, drawn: a layer's descriptors over time, the ports' bytes, and the shares of the whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.figure import new_figure, write_figure
from models.machine.descriptor import Engine
from sim.bench.naming import Named
from sim.bench.probe import PRIORITY, Timeline
from sim.bench.report import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "layer_window"]

_BINS = 400  # of time
_BEFORE = (Engine.FETCH, Engine.LOAD)  # what they bring is of a layer that comes later
_COLOURS = {"linear": "tab:blue", "head": "tab:cyan", "attend": "tab:orange", "vector": "tab:green",
            "load": "tab:purple", "fetch": "tab:gray", "none": "lightgray"}
_LETTER = 0.0075  # of the width of a lane, at most
_LANE = 0.8
_Span = tuple[Named, tuple[int, int]]


def draw(figures: Figures, timeline: Timeline, descriptors: list[Named], path: Path) -> None:
    """Write a figure to a file, its format by its suffix. `timeline`: a run of the phase that the figures are of, with
    its descriptors.

    Above: the middle one of the layers that the run has, an engine a lane, a bar a descriptor, in µs of the build's
    clock; below it the bytes that the ports carried, and what they can carry at most. Below: the cycles of the whole
    phase by the first engine at work, as `Figures` has them.
    `models.output.check_picture` tells beforehand whether it can be written.
    """
    layer = (figures.workload.layers - 1) // 2
    window = layer_window(timeline, descriptors, layer)
    work = {engine: [(item, span) for item, span in _spans(timeline, descriptors, engine)
                     if span[0] < window[1] and span[1] > window[0]] for engine in reversed(PRIORITY)}
    engines = [engine for engine, found in work.items() if found]
    figure = new_figure(12, 3.2 + 0.45 * len(engines))
    lanes, ports, shares = figure.subplots(3, 1, height_ratios=[len(engines), 1.8, 1.0])
    mhz = figures.build.clock_mhz
    for lane, engine in enumerate(engines):
        _lane(lanes, lane, work[engine], window, mhz)
    lanes.set_yticks([lane + _LANE / 2 for lane in range(len(engines))], [engine.name.lower() for engine in engines])
    lanes.set_ylim(-0.1, len(engines))
    lanes.tick_params(labelbottom=False)
    _traffic(ports, timeline, window, figures)
    ports.set_xlabel(f"µs from the beginning of layer {layer}: {window[1] - window[0]:,} of the run's "
                     f"{timeline.cycles[-1]:,} cycles, with {figures.workload.layers} of "
                     f"{figures.workload.whole.layers} layers simulated")
    for axes in (lanes, ports):
        axes.set_xlim(0, (window[1] - window[0]) / mhz)
    _shares(shares, figures)
    figure.suptitle(figures.headline(), fontsize=9, wrap=True)
    write_figure(figure, path)


def layer_window(timeline: Timeline, descriptors: list[Named], layer: int) -> tuple[int, int]:
    """First cycle and end of a layer: of all work on it but of what brings weights and vectors, which runs ahead."""
    found = [span for engine in Engine if engine not in _BEFORE
             for item, span in _spans(timeline, descriptors, engine)
             if item.layer == layer]
    return min(start for start, _ in found), max(end for _, end in found)


def _spans(timeline: Timeline, descriptors: list[Named], engine: Engine) -> list[_Span]:
    """An engine's descriptors with first cycle and end of each."""
    return list(zip([item for item in descriptors if item.engine == engine], timeline.spans(engine), strict=True))


def _lane(axes: Axes, lane: int, work: list[_Span], window: tuple[int, int], mhz: float) -> None:
    """An engine's descriptors in the window, with their names where there is room for them."""
    first, end = window
    for item, (start, stop) in work:
        low, high = max(start, first), min(stop, end)
        colour = _COLOURS[item.engine.name.lower()]
        axes.broken_barh([((low - first) / mhz, (high - low) / mhz)], (lane, _LANE), facecolor=colour,
                         edgecolor="white", linewidth=0.4)
        if (high - low) / (end - first) > _LETTER * len(item.part):
            axes.text((low + high - 2 * first) / 2 / mhz, lane + _LANE / 2, item.part, ha="center", va="center",
                      fontsize=7, color="white", clip_on=True)


def _traffic(axes: Axes, timeline: Timeline, window: tuple[int, int], figures: Figures) -> None:
    """Bytes of all ports a second over the window, and the limit."""
    mhz, limit = figures.build.clock_mhz, figures.ddr_limit
    edges = np.linspace(*window, _BINS + 1)
    rate = np.diff(np.interp(edges, timeline.cycles, timeline.bytes)) / np.diff(edges) * mhz / 1e3
    axes.fill_between((edges[:-1] - window[0]) / mhz, rate, step="post", color="tab:red", alpha=0.6, linewidth=0)
    axes.axhline(limit, color="black", linewidth=0.8)
    axes.annotate(f"limit of the ports, one way: {limit:.1f} GB/s", (0, limit), (4, 3), textcoords="offset points",
                  fontsize=7)
    axes.set_ylim(0, 1.25 * max(limit, rate.max()))
    axes.set_ylabel("GB/s")


def _shares(axes: Axes, figures: Figures) -> None:
    """Of the whole phase, a bar; what each colour is and its share stand below it, where nothing is too narrow."""
    counts, left = figures.measurement.counts, 0.0
    for name in (*(engine.name.lower() for engine in PRIORITY), "none"):
        share = counts.units.get(name, 0.0) / counts.cycles
        axes.barh(0, share, left=left, color=_COLOURS[name], label=f"{name} {100 * share:.1f} %")
        left += share
    axes.set_xlim(0, 1)
    axes.set_axis_off()
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.05), ncols=len(PRIORITY) + 1, fontsize=8, frameon=False,
                title=f"cycles of the whole phase, {counts.cycles:,.0f}, by the first unit at work", title_fontsize=8)
