"""The page's files, with what only a header can say."""

from __future__ import annotations

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["PageFiles"]

_HEADERS = {"Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
            "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
"""No other origin, none that frames it; after an upgrade no module of the version before."""


class PageFiles(StaticFiles):
    """Static files as starlette serves them, each asked for anew where it has changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        return response
