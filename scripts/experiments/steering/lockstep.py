"""Many sequences of one length side by side on the emulator: a pass takes a token of each of up to 16.

Bits are those of the sequences run one after another; a token costs a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from models.checkpoint import Model
from models.golden.model import TapPoint
from models.golden.tap import Tap
from models.machine.build import CPU
from models.machine.registers import SEQUENCES

__all__ = ["Lockstep"]

_SEQUENCES_MAX = 128


class Lockstep:
    """A model with `taps` over as many sequences as the first step's tokens; all start empty."""

    def __init__(self, model: Model, taps: Mapping[TapPoint, Tap] | None = None):
        self._model, self._taps = model, taps
        self._sessions: list[Session] = []  # of SEQUENCES each

    def reset(self) -> None:
        """Forget the sequences."""
        for session in self._sessions:
            session.reset()

    def step(self, tokens: Sequence[int]) -> np.ndarray:
        """Append one token to each sequence; integer logits int32 [sequences, vocab]. At most 128 sequences."""
        if len(tokens) > _SEQUENCES_MAX:
            raise ValueError(f"{len(tokens)} sequences, at most {_SEQUENCES_MAX} run side by side")
        parts = [tokens[start:start + SEQUENCES] for start in range(0, len(tokens), SEQUENCES)]
        while len(self._sessions) < len(parts):
            self._sessions.append(Session(self._model, EmulatorDevice(CPU), taps=self._taps, sequences=SEQUENCES))
        return np.concatenate([session.score_parts([(sequence, [token]) for sequence, token in enumerate(part)])
                               for session, part in zip(self._sessions, parts, strict=False)])
