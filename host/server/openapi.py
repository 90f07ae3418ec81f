"""GET /openapi.json: the API, made of the schemas that requests are checked by."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from host.server.api_error import JSONAnswer
from host.server.schema import CHAT, COMPLETION
from host.server.served import Served

__all__ = ["document", "openapi"]

_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {
    "type": "object", "required": ["message", "type", "param", "code"],
    "properties": {"message": {"type": "string"}, "type": {"type": "string"}, "param": {"type": ["string", "null"]},
                   "code": {"type": ["string", "null"]}}}}}
_OBJECT = {"type": "object"}
_LIST = {"type": "object", "required": ["object", "data"],
         "properties": {"object": {"const": "list"}, "data": {"type": "array"}}}
_ANSWER = {"type": "object", "required": ["id", "object", "created", "model", "choices", "usage"],
           "properties": {"choices": {"type": "array", "minItems": 1}, "usage": _OBJECT}}
_REFUSALS = {"400": "a field has no such value", "401": "the key is missing or wrong", "403": "another host is meant",
             "404": "no such model", "413": "the body is too large", "415": "the body is not JSON",
             "422": "this model or device cannot do it",
             "429": "the queue is full; Retry-After says when to come again", "500": "the device failed"}


async def openapi(served: Served, _: HttpRequest) -> Response:
    """The document."""
    return JSONAnswer(document())


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tritloom", "version": "1", "description": "OpenAI's routes for a ternary model on a device"},
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
                       "schemas": {"Chat": CHAT, "Completion": COMPLETION, "Error": _ERROR}},
        "security": [{}, {"key": []}],
        "paths": {
            "/v1/chat/completions": {"post": _asked("an answer to messages", "Chat")},
            "/v1/completions": {"post": _asked("what follows a prompt", "Completion")},
            "/v1/models": {"get": _read("the model", _LIST)},
            "/v1/models/{model}": {"get": {
                **_read("the model by its name", _OBJECT, "404"),
                "parameters": [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}]}},
            "/v1/stages": {"get": _read("what acts on the model, and what a request may set", _LIST)},
            "/v1/status": {"get": _read("what runs, how fast, and where the time goes", _OBJECT)},
            "/health": {"get": {"summary": "whether it works", "security": [], "responses": {
                "200": _json("it works", _OBJECT), "503": _json("the last pass failed", _OBJECT)}}},
            "/metrics": {"get": {"summary": "for Prometheus", "responses": {
                "200": {"description": "counters", "content": {"text/plain": {}}}, **_refusals("401", "403")}}}}}


def _asked(summary: str, schema: str) -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
    answer = _json("the answer; with stream: true, server-sent events", _ANSWER)
    answer["content"]["text/event-stream"] = {}  # 3.1 has no schema for one event
    return {"summary": summary, "requestBody": body, "responses": {"200": answer, **_refusals(*_REFUSALS)}}


def _read(summary: str, schema: dict[str, Any], *refusals: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _json(summary, schema), **_refusals("401", "403", *refusals)}}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _refusals(*names: str) -> dict[str, Any]:
    return {name: _json(_REFUSALS[name], {"$ref": "#/components/schemas/Error"}) for name in names}
