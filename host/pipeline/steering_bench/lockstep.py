"""Many sequences of one length side by side on the emulator: a pass takes a token of each of up to 16.

Bits are those of the sequences run one after another; a token costs a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Sequence

from host.devices.emulator import EmulatorDevice
from host.pipeline.placement import Placement, host_steps, place
from host.pipeline.site import Point
from host.pipeline.stage import Stage
from host.runtime import Session, Top
from models.checkpoint import Model
from models.machine.build import CPU
from models.machine.registers import SEQUENCES

__all__ = ["Lockstep"]


class Lockstep:
    """A model under stages, over as many sequences as a step has tokens.

    Sessions are kept for other stages whose taps stand at the same points: to open one takes longer than many steps.
    """

    def __init__(self, model: Model):
        self._model = model
        self._kept: dict[frozenset[Point], list[Session]] = {}
        self._placement = place([], model)
        self._sessions = self._kept.setdefault(frozenset(), [])

    def begin(self, stages: Sequence[Stage]) -> None:
        """Forget the sequences; these stages act from now on."""
        self._placement = place(stages, self._model)
        self._sessions = self._kept.setdefault(frozenset(self._placement.taps), [])
        for session in self._sessions:
            _set(session, self._placement, self._model)

    def step(self, tokens: Sequence[int]) -> list[Top]:
        """Append one token to each sequence; the best next ones after each."""
        parts = [tokens[start:start + SEQUENCES] for start in range(0, len(tokens), SEQUENCES)]
        while len(self._sessions) < len(parts):
            session = Session(self._model, EmulatorDevice(CPU), taps=self._placement.taps, sequences=SEQUENCES)
            _set(session, self._placement, self._model)
            self._sessions.append(session)
        return [top for session, part in zip(self._sessions, parts, strict=False)
                for top in session.advance([(sequence, [token]) for sequence, token in enumerate(part)])]


def _set(session: Session, placement: Placement, model: Model) -> None:
    """Each session has steps of its own: stages may remember sequences."""
    session.reset()
    session.set_host_steps(host_steps(placement, model))
    session.set_taps(placement.taps)
