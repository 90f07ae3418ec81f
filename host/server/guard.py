"""What a request meets first: the size of its body, the host it names, the key."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request as HttpRequest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from host.server.api_error import ApiError

__all__ = ["Guard"]

_NEEDS_KEY = ("/v1/", "/metrics")
"""Not the page, its files, /health and /openapi.json."""


class Guard:
    """ASGI middleware. key: what `Authorization: Bearer` must name, None for no key. largest: bytes of a body. hosts:
    names under which the server may be asked, None for any: a page of another origin that had its own name point
    here would be told so."""

    def __init__(self, app: ASGIApp, key: str | None, largest: int, hosts: Sequence[str] | None):
        self._app, self._key, self._largest, self._hosts = app, key, largest, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = HttpRequest(scope)
        try:
            self._check(request)
        except ApiError as error:
            await error.answer()(scope, receive, send)
            return
        await self._app(scope, self._limited(receive), send)

    def _check(self, request: HttpRequest) -> None:
        if self._hosts is not None and request.url.hostname not in self._hosts:
            raise ApiError(403, f"this server is not called {request.url.hostname}: it serves "
                                f"{', '.join(self._hosts)}", code="unknown_host")
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length[:18]) > self._largest:
            raise ApiError(413, f"a body of {length[:18]} bytes exceeds {self._largest}", code="body_too_large")
        if self._key is not None and request.url.path.startswith(_NEEDS_KEY) and request.method != "OPTIONS":
            kind, _, given = request.headers.get("authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._key.encode()):
                raise ApiError(401, "the key is missing or wrong: expected Authorization: Bearer KEY",
                               code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})

    def _limited(self, receive: Receive) -> Callable[[], Awaitable[Message]]:
        """The same messages, but no more bytes than `largest`: a body in chunks does not say its size."""
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._largest:
                raise ApiError(413, f"a body of more than {self._largest} bytes", code="body_too_large")
            return message

        return limited
