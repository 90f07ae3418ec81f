"""A stop in a pass: rows read from the device's memory, the host's steps, rows written back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from host.compiler.cuts import Cut
from host.compiler.memory_map import padded_row_bytes
from host.compiler.program import Program
from host.compiler.stops import input_channels
from host.compiler.turns import Step
from host.pipeline.host_steps import Given, HostSteps, Returned, Span
from models.golden.scalar import Scalar, constant, from_word, shift, to_word
from models.machine.descriptor import STEP_BYTES

__all__ = ["Stopping"]


class Stopping:
    """Regions of a program's memory at a stop, through `read` (name, bytes) and `write` (name, array)."""

    def __init__(self, program: Program, steps: HostSteps, read: Callable[[str, int], np.ndarray],
                 write: Callable[[str, np.ndarray], None]):
        self._program, self._read, self._write = program, read, write
        self.steps = steps
        self._config = program.model.config
        self.count = 0
        """Stops taken so far."""

    def take(self, stop: Cut, rows: int, spans: Sequence[Span] = (), *, last: bool = False) -> None:
        """Let the host do its part of `rows` rows at a stop. spans: what acts on some of them alone. last: nothing runs
        behind it in this pass."""
        given = self._given(stop, rows)
        returned = self.steps.beside(spans).take(stop, given, chooses=self._program.head == "shortlist")
        self.count += 1
        if not last:
            self._give_back(stop, returned)
        elif returned.residual is not None:
            self._write("stop.rows", returned.residual.astype("<i4"))

    def residual(self, rows: int) -> np.ndarray:
        """The residual rows that the last stop left: int64 [rows, hidden]."""
        return self._rows(rows, self._config.hidden_size)

    def _given(self, stop: Cut, rows: int) -> Given:
        if stop.step == Step.OUT:
            return Given(self._rows(rows, input_channels(self._config, stop.step)), self._stored_steps(rows))
        if stop.step == Step.DOWN:
            ffn = self._config.ffn_size
            most = self._program.rows
            both = self._read("stop.rows", 2 * most * ffn * 4).view("<i4").reshape(2, most, ffn)[:, :rows]
            gate, up = both.astype(np.int64)
            return Given(gate, self._stored_steps(rows), up)
        unit = shift(constant(1), np.full(rows, -self._program.model.residual_fraction_bits))
        enters = stop.step == Step.QKV and stop.layer == self._program.layers.start
        name = "residual_in" if enters else "stop.rows"
        return Given(self._rows(rows, self._config.hidden_size, name), Scalar(np.broadcast_to(unit.m, rows), unit.e))

    def _rows(self, rows: int, channels: int, name: str = "stop.rows") -> np.ndarray:
        return self._read(name, rows * channels * 4).view("<i4").reshape(rows, channels).astype(np.int64)

    def _stored_steps(self, rows: int) -> Scalar:
        return from_word(self._read("stop.steps", rows * STEP_BYTES).view("<u4")[::STEP_BYTES // 4].copy())

    def _give_back(self, stop: Cut, returned: Returned) -> None:
        if stop.residual:
            self._write("residual_in", returned.residual.astype("<i4"))
        if not stop.inputs:
            return
        for name, values in (("stop.inputs", returned.inputs), ("stop.head_inputs", returned.head_inputs)):
            if values is not None:
                padded = np.zeros((len(values), padded_row_bytes(values.shape[1]) // 2), "<i2")
                padded[:, :values.shape[1]] = values
                self._write(name, padded)
        words = np.zeros((len(returned.steps.m), STEP_BYTES // 4), "<u4")
        words[:, 0] = to_word(returned.steps)
        self._write("stop.input_steps", words)
