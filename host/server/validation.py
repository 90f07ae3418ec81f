"""The body of a request: JSON that fits its schema, or the reason why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import fastjsonschema
from starlette.requests import Request as HttpRequest

from host.server.api_error import ApiError
from host.server.schema import CHAT, COMPLETION

__all__ = ["checked_chat", "checked_completion", "read_json"]

_DEEPEST = 64


async def read_json(request: HttpRequest) -> dict[str, Any]:
    """The JSON object that is the body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, f"expected a body of type application/json, found {kind[:80] or 'none'}")
    try:
        body = json.loads(await request.body(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}", code="invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError(400, f"expected a JSON object, found {type(body).__name__}")
    if _depth(body) > _DEEPEST:
        raise ApiError(400, f"the body is nested deeper than {_DEEPEST} levels")
    return body


def checked_chat(body: dict[str, Any]) -> dict[str, Any]:
    """The fields that are given; `ApiError` for what is no request for a chat."""
    return _checked(body, _CHAT)


def checked_completion(body: dict[str, Any]) -> dict[str, Any]:
    """The fields that are given; `ApiError` for what is no request for a completion."""
    return _checked(body, _COMPLETION)


def _checked(body: dict[str, Any], check: Callable[[Any], Any]) -> dict[str, Any]:
    try:
        check(body)
    except fastjsonschema.JsonSchemaValueException as error:
        field = ".".join(map(str, error.path[1:])) or None
        message = error.message.removeprefix("data.")
        raise ApiError(400, message.replace("data ", "the body ", 1) if field is None else message, param=field,
                       code="invalid_value") from None
    return {name: value for name, value in body.items() if value is not None}


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _depth(value: object) -> int:
    """Levels of lists and objects; as deep as Python's parser goes, so no recursion here."""
    deepest, found = 0, [(value, 1)]
    while found:
        item, level = found.pop()
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        deepest = max(deepest, level)
        found += [(part, level + 1) for part in inner if isinstance(part, (dict, list))]
    return deepest


_CHAT = fastjsonschema.compile(CHAT, use_default=False)
_COMPLETION = fastjsonschema.compile(COMPLETION, use_default=False)
