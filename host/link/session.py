"""The host's end of the link: requests in order, each executed once, whatever the line loses, doubles or changes.

docs/link.md says what both ends owe each other. Requests wait in a queue. Those at its front are on their way, as many
as the board can hold; what is not answered in time is sent again from the first one that the board has not executed
(go-back-N). Nothing that writes is sent behind a read that somebody waits for, so that a read may be repeated.
"""

from __future__ import annotations

import os
import random
from collections import deque
from collections.abc import Callable, Iterable
from itertools import takewhile

from host.link.failures import BoardResetError, LinkError, NoAnswerError, RefusedError
from host.link.frames import FrameReader
from host.link.request import Answer, Request, status_name
from host.link.transport import Transport
from models.errors import OptionError
from models.machine.link import (
    BAUD,
    GREETING,
    LINK_VERSION,
    REQUEST_BUFFERS,
    Greeting,
    LinkStatus,
    Operation,
)

__all__ = ["PATIENCE_VARIABLE", "LinkSession"]

PATIENCE_VARIABLE = "TRITLOOM_LINK_PATIENCE"
"""Environment variable: seconds in which an answer must begin to come. A simulated board needs more."""
_PATIENCE_S = 0.15  # the board takes up to 20 ms, a USB chip 16 ms, a busy host the rest
_TRIES = 8
_LONGEST_S = 2.0  # that patience grows to
_WINDOW = 16  # writes on their way: 16 KiB, 58 ms of the line
_BITS = 10  # of a byte on the line
_BUS_TRIES = 5


def _patience_s() -> float:
    text = os.environ.get(PATIENCE_VARIABLE, str(_PATIENCE_S))
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise OptionError(f"{PATIENCE_VARIABLE} must be a number of seconds, got {text!r}")
    return value


class LinkSession:
    """A session with the board behind a transport; `LinkError` where there is none to be had.

    patience: seconds in which an answer must begin to come, by default `PATIENCE_VARIABLE`'s or 0.15. Counted:
    trips, times that the host waited for an answer with nothing else to do; repeats, requests sent again.
    """

    def __init__(self, transport: Transport, *, patience: float | None = None,
                 choose: Callable[[int, int], int] | None = None):
        """choose: of a session's number, in tests."""
        self.transport = transport
        self.patience = patience or _patience_s()
        self.greeting: Greeting | None = None
        self.session = self.trips = self.repeats = 0
        self._choose = choose or random.SystemRandom().randint
        self._reader = FrameReader()
        self._queue: deque[Request] = deque()  # replaced and appended to in one step each: Ctrl-C may come anywhere
        self._after = 0  # sequence of the next request where none waits
        self._went_back = False  # since the board last executed something
        self._bus_errors = 0
        self.greet()

    @property
    def damaged(self) -> int:
        """Frames from the board that were damaged."""
        return self._reader.damaged

    def greet(self) -> Greeting:
        """Begin a session; what was under way is forgotten. `NoAnswerError`; `LinkError` for another version."""
        self._queue, self.session = deque(), 0
        self._forgotten = f"no session with the board at {self.transport.name} was begun"
        self.transport.reopen()
        self.transport.drop_received()
        for _ in range(_TRIES):
            request = Request(Operation.HELLO)
            request.number(self._choose(1, 0xFFFF), self._choose(0, 255))
            answer = self._greeted(request)
            greeting = _greeting_of(answer.data)
            if answer.status == LinkStatus.OK and answer.expected == (request.sequence + 1) % 256:
                self._after, self.greeting, self.session = answer.expected, greeting, request.session
                return greeting
        raise LinkError(f"the board at {self.transport.name} does not begin a session")

    def _greeted(self, request: Request) -> Answer:
        first = self._reader.taken
        for tries in range(_TRIES):
            self.transport.write(request.frame)
            until = self.transport.now() + self._wait_s(tries)
            while data := self.transport.read(until):
                for body in self._reader.feed(data):
                    answer = Answer.of(body)
                    if (answer.operation, answer.sequence, answer.session) == (Operation.HELLO, request.sequence,
                                                                               request.session):
                        return answer
        came = self._reader.taken - first
        raise NoAnswerError(f"no answer from {self.transport.name}: " + (
            f"{came} bytes came, but no frame of a board's; is it another device's port?" if came else
            "is the board's bitstream loaded, and is this its port?"))

    def _wait_s(self, tries: int) -> float:
        return min(self.patience * 2 ** tries, max(_LONGEST_S, self.patience))

    def send(self, request: Request) -> None:
        """Put a request at the end of the queue and send what may be sent. The board's refusal of it is raised here or
        by a later call."""
        if not self.session:
            raise BoardResetError(self._forgotten)
        request.number(self.session, (self._queue[-1].sequence + 1) % 256 if self._queue else self._after)
        self._queue.append(request)
        self._pump()
        while len(self._queue) >= 2 * _WINDOW:
            self._receive()

    def fetch(self, requests: Iterable[Request]) -> list[bytes]:
        """The data of reads, in their order. Returns or raises when nobody waits for any of them any more."""
        asked = list(requests)
        try:
            for request in asked:
                self.send(request)
            self.trips += 1
            while any(request.answer is None for request in asked):
                self._receive()
        except BaseException:
            for request in asked:
                request.wanted = False
            raise
        return [request.answer for request in asked]

    def settle(self) -> None:
        """Return when everything sent so far has been executed."""
        if self._queue:
            self.trips += 1
        while self._queue:
            self._receive()

    @property
    def _under_way(self) -> list[Request]:
        """Those that were sent, or sent again, since the host last went back, and are not done."""
        return [request for request in self._queue if request.sent and not request.done]

    def _pump(self) -> None:
        """Send what may be on its way now."""
        under_way, frames = self._under_way, []
        for request in self._queue:
            if request.sent or request.done:
                continue
            if not _has_place(under_way):
                break
            request.sent = True
            under_way.append(request)
            frames.append(request.frame)
        if frames:
            self.transport.write(b"".join(frames))

    def _receive(self) -> None:
        """Take the next answer that says something new; send again what got none in time."""
        for tries in range(_TRIES):
            if self._took_something(tries):
                return
            self._go_back()
        self.transport.drop_received()
        raise NoAnswerError(f"no answer from {self.transport.name} to {self._queue[0].what}, asked {_TRIES} times")

    def _took_something(self, tries: int) -> bool:
        until = self.transport.now() + self._answer_s(tries)
        while data := self.transport.read(until):
            news = [self._take(Answer.of(body)) for body in self._reader.feed(data)]
            if any(news):
                self._pump()
                return True
        return False

    def _answer_s(self, tries: int) -> float:
        """From now on, until the next answer must have come."""
        under_way = self._under_way
        on_the_line = sum(len(r.frame) + (r.size if r.reads else 0) for r in under_way[:1 + tries * _WINDOW])
        return self._wait_s(tries) + sum(r.takes_s for r in under_way[:2]) + on_the_line * _BITS / BAUD

    def _take(self, answer: Answer) -> bool:
        """Whether an answer says something new."""
        request = next((r for r in self._under_way if (r.sequence, r.operation) == (answer.sequence, answer.operation)),
                       None)
        if request is None:
            return False
        if answer.status == LinkStatus.NOT_GREETED:
            self._end(answer.session)
        if answer.session != self.session:
            return False
        if answer.status == LinkStatus.OK:
            if request.answer_bytes is not None and len(answer.data) != request.answer_bytes:
                return False
            request.answer = answer.data
        elif answer.status == LinkStatus.BUS_ERROR:
            self._again_on_the_bus(request)
            return False
        elif answer.status != LinkStatus.OUT_OF_ORDER and (answer.status != LinkStatus.TOO_LATE or request.wanted):
            self._drop(request)
            raise RefusedError(f"the board refuses {request.what}: {status_name(answer.status)}")
        return self._confirm(answer)

    def _confirm(self, answer: Answer) -> bool:
        """Take from the queue what the board has executed; whether that is something."""
        news = False
        for request in self._under_way:
            if request.executed_by(answer.expected) and (not request.reads or not request.wanted
                                                         or request.answer is not None):
                request.done = news = True
        if news:
            self._went_back, self._bus_errors = False, 0
        while self._queue and self._queue[0].done:  # what lies behind one that is missing keeps its number
            self._after = (self._queue[0].sequence + 1) % 256  # counts where the queue is empty then
            self._queue.popleft()
        lost = any(r.executed_by(answer.expected) for r in self._under_way)  # a read whose answer is missing
        if lost or (answer.status == LinkStatus.OUT_OF_ORDER and not self._went_back):
            self._go_back()
        return news

    def _go_back(self) -> None:
        """Send again from the first request on that is not done."""
        self._went_back = True
        under_way = self._under_way
        self.repeats += len(under_way)
        for request in under_way:
            request.sent = False
        self._pump()

    def _again_on_the_bus(self, request: Request) -> None:
        """Memory may not be ready yet, just behind a reset; what fails for long is told."""
        self._bus_errors += 1
        if self._bus_errors > _BUS_TRIES:
            self._drop(request)
            raise RefusedError(f"the board's bus failed: {request.what}")
        self.transport.pause(self.patience / 8)
        self._go_back()

    def _drop(self, request: Request) -> None:
        """Take back a request that the board did not execute, and those behind it: their numbers are used again."""
        kept = list(takewhile(lambda other: other is not request, self._queue))
        self._after = request.sequence
        self._queue = deque(kept)

    def _end(self, session: int) -> None:
        """The board is in another session, 0: in none."""
        self._forgotten = (f"the board at {self.transport.name} "
                           f"{'was greeted by another program' if session else 'was reset'}: what the model had in its "
                           "memory is not known any more")
        self._queue, self.session = deque(), 0
        raise BoardResetError(self._forgotten)


def _has_place(under_way: list[Request]) -> bool:
    """Whether the board has one for a request behind these: writes take less time than their bytes on the line, the
    others have to wait in its buffers."""
    slow = next((n for n, request in enumerate(under_way) if request.reads or request.takes_s), len(under_way))
    return len(under_way) < _WINDOW and len(under_way) - slow < REQUEST_BUFFERS


def _greeting_of(data: bytes) -> Greeting:
    version = int.from_bytes(data[:2], "little")
    if version != LINK_VERSION or len(data) != GREETING.size:
        raise LinkError(f"the board speaks version {version} of the link, this host {LINK_VERSION}: load a bitstream "
                        f"that belongs to it")
    return Greeting(*GREETING.unpack(data))
