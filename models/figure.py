"""The project's figures: no window, one resolution, and equal figures in equal bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["new_figure", "write_figure"]

_SETTINGS = {"savefig.dpi": 120, "svg.hashsalt": "tritloom"}
_UNDATED = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def new_figure(width: float, height: float) -> Figure:
    """An empty one, in inches, that fits its parts together itself; `subplots` makes its fields. Needs matplotlib.

    It belongs to its user alone, so that there is nothing to close.
    """
    from matplotlib.figure import Figure  # late: only pictures need it

    return Figure(figsize=(width, height), layout="constrained")


def write_figure(figure: Figure, path: Path) -> None:
    """To a file, its format by its suffix; `models.output.check_picture` tells beforehand whether that can be."""
    from matplotlib import rc_context

    with rc_context(_SETTINGS):
        figure.savefig(path, metadata=_UNDATED.get(path.suffix.lower()))
