"""Answers on their way to a client: all at once or piece by piece, ended when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from host.server.api_error import ApiError, to_json
from host.server.worker import Ticket, Update, Worker

__all__ = ["EventStream", "finished", "merged_updates"]


async def finished(worker: Worker, tickets: Sequence[Ticket], request: HttpRequest) -> None:
    """Returns when all have ended; `ClientDisconnect`, with all cancelled, where the client left before."""
    async def read() -> None:
        for ticket in tickets:
            async for _ in ticket.updates():
                pass

    reading = asyncio.ensure_future(read())
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({reading, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            raise ClientDisconnect
        reading.result()
    finally:
        reading.cancel()
        leaving.cancel()
        worker.cancel(tickets)


async def _left(request: HttpRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def merged_updates(tickets: Sequence[Ticket]) -> AsyncIterator[tuple[int, Update]]:
    """Updates of several answers as they come, each with the number of its answer."""
    queue: asyncio.Queue[tuple[int, Update | BaseException]] = asyncio.Queue()

    async def read(number: int, ticket: Ticket) -> None:
        try:
            async for update in ticket.updates():
                queue.put_nowait((number, update))
        except ApiError as error:
            queue.put_nowait((number, error))

    readers = [asyncio.ensure_future(read(number, ticket)) for number, ticket in enumerate(tickets)]
    try:
        left = len(tickets)
        while left:
            number, update = await queue.get()
            if isinstance(update, BaseException):
                raise update
            left -= update.finish is not None
            yield number, update
    finally:
        for reader in readers:
            reader.cancel()


class EventStream(StreamingResponse):
    """Server-sent events of `chunks`, each one JSON, then `[DONE]`. done: called at the end, whoever ended it."""

    def __init__(self, chunks: AsyncIterator[object], done: Callable[[], None]):
        super().__init__(_events(chunks), media_type="text/event-stream",
                         headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._done()


async def _events(chunks: AsyncIterator[object]) -> AsyncIterator[bytes]:
    try:
        async for chunk in chunks:
            yield b"data: " + to_json(chunk) + b"\n\n"
    except ApiError as error:
        yield b"data: " + to_json(error.body) + b"\n\n"
        return
    yield b"data: [DONE]\n\n"
