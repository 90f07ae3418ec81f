"""Many sequences of one length side by side on the emulator: a pass takes a token of each of up to 16.

Bits are those of the sequences run one after another; a token costs a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.placement import Placement, host_steps, place
from host.pipeline.site import Point
from host.pipeline.stage import Stage
from host.runtime import Session, Top
from host.sampler import TEMPERATURE, TOP_P, Sampler
from models.checkpoint import Model
from models.errors import OptionError
from models.machine.build import CPU
from models.machine.registers import SEQUENCES

__all__ = ["Lockstep", "sampled"]


class Lockstep:
    """A model under stages, over as many sequences as a step has tokens.

    Sessions are kept for other stages whose taps stand at the same points: to open one takes longer than many steps.
    """

    def __init__(self, model: Model):
        self._model = model
        self._kept: dict[frozenset[Point], list[Session]] = {}
        self._begun = self._acting = place([], model)
        self._sessions = self._kept.setdefault(frozenset(), [])

    def begin(self, stages: Sequence[Stage]) -> None:
        """Forget the sequences; these stages act from now on."""
        self._begun = self._acting = place(stages, self._model)
        self._sessions = self._kept.setdefault(frozenset(self._begun.taps), [])
        for session in self._sessions:
            session.reset()
            _set(session, self._acting, self._model)

    def change(self, stages: Sequence[Stage]) -> None:
        """These stages act from the next step on, and the sequences stay. Their taps stand where those of `begin` do,
        or are fewer; else `OptionError`."""
        placement = place(stages, self._model)
        if not placement.taps.keys() <= self._begun.taps.keys():
            raise OptionError("these stages have taps at other points than those that the sequences began with")
        self._acting = placement
        for session in self._sessions:
            _set(session, placement, self._model)

    def step(self, tokens: Sequence[int]) -> list[Top]:
        """Append one token to each sequence; the best next ones after each."""
        parts = [tokens[start:start + SEQUENCES] for start in range(0, len(tokens), SEQUENCES)]
        while len(self._sessions) < len(parts):
            session = Session(self._model, EmulatorDevice(CPU), taps=self._begun.taps, sequences=SEQUENCES)
            _set(session, self._acting, self._model)
            self._sessions.append(session)
        return [top for session, part in zip(self._sessions, parts, strict=False)
                for top in session.advance([(sequence, [token]) for sequence, token in enumerate(part)])]


def sampled(lockstep: Lockstep, prompts: np.ndarray, tokens: int, *, before: Callable[[int], None] = lambda _: None
            ) -> np.ndarray:
    """How prompts, int [prompts, length], go on: int [prompts, tokens], prompt i sampled with seed i.

    Sampled as `host.generate` does. before: called with the number of a new token before it enters the model, which is
    the time for `Lockstep.change`.
    """
    samplers = [Sampler(TEMPERATURE, 0, TOP_P, seed) for seed in range(len(prompts))]
    for column in prompts.T:
        tops = lockstep.step(column.tolist())
    written: list[list[int]] = []
    for index in range(tokens):
        written.append([sampler(top) for sampler, top in zip(samplers, tops, strict=True)])
        if index + 1 < tokens:
            before(index)
            tops = lockstep.step(written[-1])
    return np.array(written).T


def _set(session: Session, placement: Placement, model: Model) -> None:
    """Each session has steps of its own: stages may remember sequences."""
    session.set_host_steps(host_steps(placement, model))
    session.set_taps(placement.taps)
