"""The thread that runs the engine's passes, and what it hands to the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from host.engine.engine import Engine
from host.engine.logits import TokenScore
from host.engine.reply import Finish, Reply
from host.engine.request import Request
from host.server.api_error import ApiError, refused
from host.server.tally import Tally

__all__ = ["Ticket", "Update", "Worker"]


@dataclass(frozen=True)
class Update:
    """What a pass gave to a reply: text, new ids with their scores where these are wanted, and why it ended, None
    while it goes on. failed: what went wrong."""

    text: str = ""
    ids: Sequence[int] = ()
    scores: Sequence[TokenScore] = ()
    finish: Finish | None = None
    failed: str | None = None


@dataclass(eq=False)
class Ticket:
    """A request on its way. The loop reads `updates`; `text`, `ids` and `scores` are what these gave so far.

    silent: only the prompt was asked for; nothing that follows it is handed out.
    """

    reply: Reply
    silent: bool = False
    text: str = ""
    ids: list[int] = field(default_factory=list)
    scores: list[TokenScore] = field(default_factory=list)
    finish: Finish | None = None
    _queue: asyncio.Queue[Update] = field(default_factory=asyncio.Queue)
    _handed: int = 0  # ids, by the thread

    async def updates(self) -> AsyncIterator[Update]:
        """Each as it comes, the one with `finish` last; `ApiError` where the device failed."""
        while self.finish is None:
            update = await self._queue.get()
            if update.failed is not None:
                raise ApiError(500, update.failed)
            self.text += update.text
            self.ids += update.ids
            self.scores += update.scores
            self.finish = update.finish
            yield update

    def put(self, update: Update) -> None:
        """For the worker, on the loop's thread."""
        self._queue.put_nowait(update)

    def next_update(self) -> Update:
        """For the worker, on the engine's thread: what came since the last."""
        reply, first = self.reply, self._handed
        if self.silent:
            return Update(finish=reply.finish)
        self._handed = len(reply.ids)
        return Update(reply.take_text(), reply.ids[first:], reply.scores[first:], reply.finish)


class Worker:
    """Runs an engine in a thread of its own. room: requests that run or wait at most; others are refused with 429.

    tally: of what it does.
    """

    def __init__(self, engine: Engine, room: int):
        self.engine, self.room, self.tally = engine, room, Tally()
        self.failure: str | None = None
        """What the last pass failed with, None where it went well."""
        self._tickets: dict[Reply, Ticket] = {}
        self._wake = threading.Condition()  # around the tickets and whether to end
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Passes run from now on; updates go to this loop."""
        self._loop = loop
        self._thread.start()

    def stop(self) -> None:
        """End what runs and the thread; returns when no pass runs any more."""
        with self._wake:
            self._ending = True
            for reply in self._tickets:
                self.engine.cancel(reply)
            self._wake.notify()
        self._thread.join()

    @property
    def load(self) -> int:
        """Requests that run or wait."""
        with self._wake:
            return len(self._tickets)

    def submit(self, requests: Sequence[Request], *, silent: bool = False) -> list[Ticket]:
        """Queue requests, all or none; `ApiError` where there is no room, or one cannot run. silent: as `Ticket`."""
        if len(requests) > self.room:
            raise ApiError(400, f"{len(requests)} answers are asked for; there is room for {self.room}",
                           code="too_many_answers")
        with self._wake:
            if len(self._tickets) + len(requests) > self.room:
                self.tally.refused += 1
                raise ApiError(429, f"{len(self._tickets)} requests run or wait; there is room for {self.room}",
                               code="queue_full", headers={"Retry-After": "1"})
            tickets: list[Ticket] = []
            try:
                for request in requests:
                    with refused(400):
                        tickets.append(Ticket(self.engine.add(request), silent))
            except BaseException:
                for ticket in tickets:
                    self.engine.cancel(ticket.reply)
                raise
            self._tickets.update((ticket.reply, ticket) for ticket in tickets)
            self._wake.notify()
        return tickets

    def cancel(self, tickets: Sequence[Ticket]) -> None:
        """Nobody waits for these any more; nothing for those that have ended."""
        with self._wake:
            for ticket in tickets:
                self.engine.cancel(ticket.reply)
                if self._tickets.pop(ticket.reply, None):
                    self.tally.ended(ticket.reply)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._ending or not self.engine.idle)
                if self._ending:
                    return
            started = time.perf_counter()
            try:
                moved = self.engine.step()
            except Exception as error:
                self._fail(str(error) or type(error).__name__)
                continue
            if moved:  # without rows nothing was tried
                self.failure = None
            self._hand_out(moved, time.perf_counter() - started)

    def _hand_out(self, moved: Sequence[Reply], seconds: float) -> None:
        with self._wake:
            given = [(ticket, ticket.next_update()) for reply in moved if (ticket := self._tickets.get(reply))]
            for ticket, update in given:
                if update.finish is not None:
                    del self._tickets[ticket.reply]
                    self.tally.ended(ticket.reply)
            self.tally.passed(seconds, [len(update.ids) for _, update in given])
        self._deliver([(ticket, update) for ticket, update in given if update.ids or update.finish is not None])

    def _fail(self, message: str) -> None:
        """A pass could not run: so much for everybody who is there."""
        with self._wake:
            self.failure = message
            given = [(ticket, Update(failed=message)) for ticket in self._tickets.values()]
            for ticket, _ in given:
                self.engine.cancel(ticket.reply)
                self.tally.ended(ticket.reply)
            self._tickets.clear()
        self._deliver(given)

    def _deliver(self, given: Sequence[tuple[Ticket, Update]]) -> None:
        def put() -> None:
            for ticket, update in given:
                ticket.put(update)

        if given and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(put)
