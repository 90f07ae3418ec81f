"""The routes, and what an error of any kind is answered with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from host.server.api_error import ApiError, JSONAnswer
from host.server.chat import chat_completions
from host.server.completions import completions
from host.server.guard import Guard
from host.server.metrics import metrics
from host.server.models import list_models, one_model
from host.server.openapi import openapi
from host.server.served import Served
from host.server.status import health, list_stages, status

__all__ = ["PAGE", "application", "routes_of"]

PAGE = Path(__file__).with_name("page")
"""The folder whose files are served at `/`."""
_GONE = 499  # nobody reads this status

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_Handler = Callable[[Served, HttpRequest], Awaitable[Response]]


def application(served: Served, *, key: str | None = None, largest: int = 8 << 20, cors: Sequence[str] = (),
                hosts: Sequence[str] | None = None) -> Starlette:
    """The server of one model. key, largest, hosts: as `Guard` has them; cors: origins whose pages may ask."""
    routes = [_route(path, method, handler, served) for path, method, handler in _ROUTES]
    middleware = [Middleware(Guard, key=key, largest=largest, hosts=hosts)]
    if cors:
        middleware.insert(0, Middleware(CORSMiddleware, allow_origins=list(cors), allow_methods=["*"],
                                        allow_headers=["*"]))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        served.worker.start(asyncio.get_running_loop())
        try:
            yield
        finally:
            served.worker.stop()

    return Starlette(routes=[*routes, Mount("/", StaticFiles(directory=PAGE, html=True))], middleware=middleware,
                     lifespan=lifespan, exception_handlers={
                         ApiError: _refusal, HTTPException: _http_error, ClientDisconnect: _gone, Exception: _failure})


_ROUTES: list[tuple[str, str, _Handler]] = [
    ("/v1/chat/completions", "POST", chat_completions),
    ("/v1/completions", "POST", completions),
    ("/v1/models", "GET", list_models),
    ("/v1/models/{model:path}", "GET", one_model),
    ("/v1/stages", "GET", list_stages),
    ("/v1/status", "GET", status),
    ("/health", "GET", health),
    ("/metrics", "GET", metrics),
    ("/openapi.json", "GET", openapi),
]


def routes_of() -> list[tuple[str, str]]:
    """Path and method of each route, the page's left out."""
    return [(path, method) for path, method, _ in _ROUTES]


def _route(path: str, method: str, handler: _Handler, served: Served) -> Route:
    """Of all methods, so that none goes on to the page's files: what is not served says what is."""
    async def answer(request: HttpRequest) -> Response:
        if request.method != method and (request.method, method) != ("HEAD", "GET"):
            raise HTTPException(405, headers={"Allow": method})
        return await handler(served, request)

    return Route(path, answer, methods=_METHODS)


async def _refusal(_: HttpRequest, error: Any) -> Response:
    return error.answer()


async def _http_error(request: HttpRequest, error: Any) -> Response:
    """An unknown path or method, in the same form."""
    what = {404: f"there is nothing at {request.url.path}", 405: f"{request.method} is not served here"}
    return ApiError(error.status_code, what.get(error.status_code, str(error.detail)), headers=error.headers).answer()


async def _gone(_: HttpRequest, error: Exception) -> Response:
    return Response(status_code=_GONE)


async def _failure(_: HttpRequest, error: Exception) -> Response:
    logging.getLogger("uvicorn.error").error("a request failed", exc_info=error)
    return JSONAnswer(ApiError(500, "the server failed; its log says why").body, 500)
