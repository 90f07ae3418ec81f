"""What a model's sites hold while it reads a text: what methods are fitted on."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from host.emulator.machine import Machine
from host.runtime import Session
from models.float_twin import run_float
from models.formats.source import FloatModel
from models.machine.descriptor import Opcode

__all__ = ["SKIPPED", "linear_inputs", "residuals"]

SKIPPED = 4  # first tokens of a window, whose residual is dominated by the start of text


def linear_inputs(model: FloatModel, ids: np.ndarray) -> list[dict[str, np.ndarray]]:
    """Inputs of the linear layers of the float twin over windows of the context: per layer, site -> [tokens, channels]
    (sites "qkv", "o", "gate_up", "down")."""
    seen: list[dict[str, list[np.ndarray]]] = [defaultdict(list) for _ in model.layers]
    for start in tqdm(range(0, len(ids), model.config.context), "observing", unit="window", file=sys.stderr,
                      disable=not sys.stderr.isatty()):
        run_float(model, ids[start:start + model.config.context],
                  observe=lambda layer, site, x: seen[layer][site].append(x))
    return [{site: np.concatenate(parts) for site, parts in layer.items()} for layer in seen]


class _ResidualRecorder:
    """Keeps the residual stream after every layer of a run, in float units, as the emulator executes it."""

    def __init__(self, session: Session):
        config = session.model.config
        self._layers, self._hidden = config.layers, config.hidden_size
        self._unit = 2.0**-session.model.residual_fraction_bits
        self._additions = 0
        self.rows: list[list[np.ndarray]] = [[] for _ in range(config.layers)]
        machine = session.device.machine  # type: ignore[attr-defined]
        machine.observer = self._observe

    def _observe(self, opcode: Opcode, fields: dict[str, int], machine: Machine) -> None:
        if opcode != Opcode.RESIDUAL:
            return
        layer, second = divmod(self._additions % (2 * self._layers), 2)
        self._additions += 1
        if second:
            rows = slice(fields["first_row"], fields["first_row"] + fields["rows"])
            self.rows[layer].append(machine.residual.reshape(-1, self._hidden)[rows] * self._unit)


def residuals(session: Session, ids: Sequence[int], *, description: str = "") -> np.ndarray:
    """Residual stream after each layer over windows of the context: float64 [layers, tokens, hidden].

    session: on the emulator. The first `SKIPPED` tokens of each window are left out.
    """
    parts = []
    starts = range(0, len(ids), session.context)
    for start in tqdm(starts, description, unit="window", file=sys.stderr, disable=not sys.stderr.isatty()):
        recorder = _ResidualRecorder(session)
        session.reset()
        session.feed(ids[start:start + session.context])
        parts.append(np.stack([np.concatenate(rows) for rows in recorder.rows])[:, SKIPPED:])
    return np.concatenate(parts, axis=1)
