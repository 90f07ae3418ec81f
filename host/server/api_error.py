"""What a request is refused with: a status and OpenAI's error object."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from starlette.responses import Response

from models.errors import TritloomError, printable

__all__ = ["ApiError", "JSONAnswer", "refused", "to_json"]

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error",
          500: "server_error", 503: "server_error"}


class ApiError(Exception):
    """Ends a request. param: the field that is to blame; code: a short name that programs can tell it by."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None,
                 headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.param, self.code, self.headers = status, param, code, headers
        self.message = printable(message)

    @property
    def body(self) -> dict[str, Any]:
        """OpenAI's error object."""
        return {"error": {"message": self.message, "type": _TYPES.get(self.status, "invalid_request_error"),
                          "param": self.param, "code": self.code}}

    def answer(self) -> Response:
        """As an HTTP response."""
        return JSONAnswer(self.body, self.status, self.headers)


class JSONAnswer(Response):
    """JSON in UTF-8; half a surrogate pair, which UTF-8 lacks, is an escape."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return to_json(content)


def to_json(content: object) -> bytes:
    """Compact JSON. `backslashreplace` writes a lone surrogate exactly as JSON escapes it."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        "utf-8", "backslashreplace")


@contextmanager
def refused(status: int, *, param: str | None = None, code: str | None = None) -> Iterator[None]:
    """What the user can mend becomes an `ApiError` of this status."""
    try:
        yield
    except TritloomError as error:
        raise ApiError(status, str(error), param=param, code=code) from None
