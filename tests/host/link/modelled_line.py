"""A line between the host's end and a modelled board, in a time of its own: what happens to its bytes is planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.host.link.board_model import BYTE_S, BoardModel

__all__ = ["TO_BOARD", "TO_HOST", "Harm", "ModelledLine"]

TO_BOARD, TO_HOST = "to the board", "to the host"
LATENCY_S = 1e-3  # of USB, either way together


@dataclass
class Harm:
    """To the bytes of one way, from byte `at` on: `change` takes that byte and what follows in the same piece, and
    gives what goes on in their place. act: what happens at that byte, beside that. waits_s: that the bytes are late."""

    way: str
    at: int
    change: Callable[[bytes], bytes] = bytes
    act: Callable[[], None] = lambda: None
    waits_s: float = 0.0


class ModelledLine:
    """In place of `host.link.transport.Transport`. harms: planted ones, each once; done: how many were.

    passed: bytes so far each way. cut: a way on which all bytes are lost. dead: raised from now on, as the process that
    holds the line has ended.
    """

    name = "modelled"

    def __init__(self, board: BoardModel):
        self.board = board
        self.harms: list[Harm] = []
        self.done = 0
        self.passed = {TO_BOARD: 0, TO_HOST: 0}
        self.is_open = True
        self.interrupt_at: int | None = None
        self.cut: str | None = None
        self.dead: BaseException | None = None
        self._now = self._line_free = board.now
        self._coming: list[tuple[float, bytes]] = []  # to the host
        self._calls = 0

    @property
    def written(self) -> int:
        return self.passed[TO_BOARD]

    @property
    def received(self) -> int:
        return self.passed[TO_HOST]

    def now(self) -> float:
        return self._now

    def pause(self, seconds: float) -> None:
        self._until(self._now + seconds)

    def write(self, data: bytes) -> None:
        self._may_interrupt()
        self._until(self._now)
        for piece, late in self._harmed(TO_BOARD, data):
            start = max(self._now, self._line_free) + late
            self._line_free = start + len(piece) * BYTE_S
            self.board.hear(piece, start)
        self._collect()

    def read(self, until: float) -> bytes:
        self._may_interrupt()
        while True:
            self._collect()
            if self._coming and self._coming[0][0] <= max(until, self._now):
                at, data = self._coming.pop(0)
                self._now = max(self._now, at)
                return data
            event = self.board.next_event()
            if event is None or event > until:
                self._now = max(self._now, until)
                self._until(self._now)
                self._collect()
                if not (self._coming and self._coming[0][0] <= self._now):
                    return b""
                continue
            self._now = max(self._now, event)
            self._until(self._now)

    def drop_received(self) -> None:
        self._collect()
        self._coming = [item for item in self._coming if item[0] > self._now]

    def reopen(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def _may_interrupt(self) -> None:
        self._calls += 1
        if self.dead is not None:
            raise self.dead
        if self.interrupt_at is not None and self._calls >= self.interrupt_at:
            self.interrupt_at = None
            raise KeyboardInterrupt

    def interrupt_in(self, calls: int) -> None:
        """Ctrl-C at one of the next calls."""
        self.interrupt_at = self._calls + 1 + calls

    def _until(self, now: float) -> None:
        self._now = now
        self.board.pass_time(now)

    def _collect(self) -> None:
        for said in self.board.answers:
            at = said.at
            for piece, late in self._harmed(TO_HOST, said.data):
                at += len(piece) * BYTE_S + late
                if piece:
                    self._coming.append((at + LATENCY_S, piece))
        self.board.answers.clear()

    def _harmed(self, way: str, data: bytes) -> list[tuple[bytes, float]]:
        """Pieces, each with the time that it is late."""
        first = self.passed[way]
        self.passed[way] += len(data)
        if self.cut == way:
            return []
        harm = next((h for h in self.harms if h.way == way and first <= h.at < first + len(data)), None)
        if harm is None:
            return [(data, 0.0)]
        self.harms.remove(harm)
        self.done += 1
        before, behind = data[:harm.at - first], data[harm.at - first:]
        return [(before, 0.0), (self._acted(harm, behind), harm.waits_s)]

    def _acted(self, harm: Harm, data: bytes) -> bytes:
        harm.act()
        return harm.change(data)
