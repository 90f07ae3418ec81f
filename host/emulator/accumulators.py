"""The linear engine's accumulator memory."""

from __future__ import annotations

import numpy as np

from host.emulator.image import ProgramError
from models.machine.build import BuildParameters

__all__ = ["Accumulators", "written_sums"]


def written_sums(outputs: int, padding: int, outputs_per_step: int) -> int:
    """How many sums of a row a product of `outputs` writes, the last `padding` of them nothing: words of padding alone
    stay as they are."""
    return outputs - padding // outputs_per_step * outputs_per_step


class Accumulators:
    """Of each row `batch_words` words of Q = `outputs_per_step` sums, int32, as far as a build's fabric has them.

    Words have no owner: what one product writes over another's sums is there for both. `ProgramError` where a
    descriptor names more rows or words than there are.
    """

    def __init__(self, build: BuildParameters):
        self._outputs = build.outputs_per_step
        self._sums = np.zeros((build.slots, build.batch_words * self._outputs), np.int32)

    def write(self, rows: slice, word: int, sums: np.ndarray, padding: int) -> None:
        """A product, [rows, outputs], from a word on; words of nothing but its last `padding` outputs stay as they are.
        """
        outputs = written_sums(sums.shape[1], padding, self._outputs)
        self._part(rows, word, outputs)[:] = sums[:, :outputs]

    def read(self, rows: slice, word: int, count: int) -> np.ndarray:
        """`count` sums of each row from a word on, int64."""
        return self._part(rows, word, count).astype(np.int64)

    def _part(self, rows: slice, word: int, count: int) -> np.ndarray:
        start = word * self._outputs
        slots, size = self._sums.shape
        if rows.stop > slots or start + count > size:
            raise ProgramError(f"{count} sums of rows {rows.start} to {rows.stop - 1} from word {word} on exceed the "
                               f"accumulators' {size} of {slots} rows")
        return self._sums[rows, start:start + count]
