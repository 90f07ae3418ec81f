"""Stands a simulated board before an interpreter: what a fresh environment's sitecustomize.py is made of.

The project is that of the environment; of this repository the package `tests` alone is there.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["VARIABLE", "sitecustomize"]

VARIABLE = "TRITLOOM_SIMULATED_BOARD"
"""Of the environment: the accel.json of the build that the board holds."""

_HOOK = """\
import os, sys
if description := os.environ.get({variable!r}):
    import json, types
    sys.modules["tests"] = types.ModuleType("tests")
    sys.modules["tests"].__path__ = [{tests!r}]
    from pathlib import Path
    import pynq
    from hw.boards.chosen_build import read_build
    from tests.host.board.simulated_board import SimulatedBoard
    word = int(json.loads(Path(description).read_text())["hash"][:8], 16)
    pynq.ps.CPU_ARCH = pynq.ps.ZU_ARCH  # 3.0.1 asks the process what processor it is on
    pynq.Device._active_device = SimulatedBoard(read_build(Path(description)), word)
"""


def sitecustomize() -> str:
    """Python runs it at its start."""
    return _HOOK.format(variable=VARIABLE, tests=str(Path(__file__).resolve().parents[2]))
