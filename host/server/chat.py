"""POST /v1/chat/completions."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from host.engine.reply import Finish
from host.engine.request import Request
from host.server.api_error import ApiError, JSONAnswer
from host.server.logprobs import chat_logprobs
from host.server.models import check_model
from host.server.prompts import chat_prompt
from host.server.requests import check_masks, engine_requests
from host.server.running import EventStream, finished, merged_updates
from host.server.served import Served
from host.server.tool_calls import Form, Said, call_schema, called_tools, found_calls, known_form
from host.server.usage import timings, usage
from host.server.validation import checked_chat, read_json
from host.server.worker import Ticket, Update

__all__ = ["FINISH", "chat_completions"]

FINISH = {Finish.END: "stop", Finish.STOP: "stop", Finish.LIMIT: "length", Finish.CONTEXT: "length",
          Finish.CANCELLED: "stop"}
"""OpenAI's names for why an answer ended."""


class _Call(NamedTuple):
    """A request on its way. names: of the tools it may call."""

    served: Served
    fields: Mapping[str, Any]
    requests: Sequence[Request]
    names: Sequence[str]
    form: Form | None

    @property
    def silent(self) -> bool:
        return self.fields.get("max_completion_tokens", self.fields.get("max_tokens")) == 0


async def chat_completions(served: Served, http: HttpRequest) -> Response:
    """An answer to messages, whole or as a stream."""
    fields = checked_chat(await read_json(http))
    check_model(served, fields.get("model"))
    call = await run_in_threadpool(_prepared, served, fields)
    tickets = served.worker.submit(call.requests, silent=call.silent)
    head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": served.name}
    if fields.get("stream"):
        return EventStream(_chunks(call, head, tickets), lambda: served.worker.cancel(tickets))
    await finished(served.worker, tickets, http)
    check_masks(tickets)
    return JSONAnswer({**head, "object": "chat.completion",
                       "choices": [_choice(call, index, ticket) for index, ticket in enumerate(tickets)],
                       "usage": usage(tickets, len(tickets)), "timings": timings(tickets[0])})


def _prepared(served: Served, fields: Mapping[str, Any]) -> _Call:
    tools, wanted = called_tools(fields, served.template)
    form = known_form(served.template) if tools else None
    grammar = served.grammars.of_format(fields["response_format"]) if "response_format" in fields else None
    if wanted and grammar:
        raise ApiError(400, "an answer is a call of a tool or JSON of a schema, not both", param="response_format")
    if wanted:
        schema = call_schema(tools, wanted, form)
        grammar = served.grammars.checked(served.grammars.of_call(schema, form.before, form.after), "tools")
    limit = fields.get("max_completion_tokens", fields.get("max_tokens"))
    logprobs = int(fields.get("top_logprobs", 0)) if fields.get("logprobs") else None
    if logprobs is None and "top_logprobs" in fields:
        raise ApiError(400, "top_logprobs needs logprobs: true", param="top_logprobs")
    requests = engine_requests(served, fields, [chat_prompt(served, fields["messages"], tools)], ends=served.ends,
                               limit=None if limit is None else int(limit), logprobs=logprobs, grammar=grammar)
    return _Call(served, fields, requests, [tool["function"]["name"] for tool in tools], form)


def _choice(call: _Call, index: int, ticket: Ticket) -> dict[str, Any]:
    said = _said(call, ticket)
    message: dict[str, Any] = {"role": "assistant", "content": said.content, "refusal": None}
    if said.calls:
        message["tool_calls"] = said.calls
    return {"index": index, "message": message, "finish_reason": "tool_calls" if said.calls else FINISH[ticket.finish],
            "logprobs": _logprobs(call, ticket)}


def _said(call: _Call, ticket: Ticket) -> Said:
    text = _shown(call.served, ticket.text)
    return found_calls(text, call.names, call.form) if call.names else Said(text, [])


def _logprobs(call: _Call, given: Ticket | Update) -> dict[str, Any] | None:
    return chat_logprobs(given.scores, call.served.token_text) if call.fields.get("logprobs") else None


async def _chunks(call: _Call, head: Mapping[str, Any], tickets: Sequence[Ticket]) -> AsyncIterator[dict[str, Any]]:
    """With tools, an answer comes in one piece: until it ends, nobody knows whether it is a call."""
    def chunk(index: int, delta: Mapping[str, Any], finish: str | None = None, logprobs: object = None
              ) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        return {**head, "object": "chat.completion.chunk", "choices": [choice]}

    for index in range(len(tickets)):
        yield chunk(index, {"role": "assistant", "content": ""})
    begun = [False] * len(tickets)
    async for index, update in merged_updates(tickets):
        ticket = tickets[index]
        if not call.names:
            piece = update.text if begun[index] else _shown(call.served, update.text)
            begun[index] |= bool(piece)
            if piece or update.scores:
                yield chunk(index, {"content": piece}, logprobs=_logprobs(call, update))
        if update.finish is not None:
            check_masks([ticket])
            said = _said(call, ticket) if call.names else Said(None, [])
            if said.content:
                yield chunk(index, {"content": said.content}, logprobs=_logprobs(call, ticket))
            if said.calls:
                yield chunk(index, {"tool_calls": [{"index": at, **found} for at, found in enumerate(said.calls)]})
            yield chunk(index, {}, "tool_calls" if said.calls else FINISH[update.finish])
    if call.fields.get("stream_options", {}).get("include_usage"):
        yield {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage(tickets, len(tickets)),
               "timings": timings(tickets[0])}


def _shown(served: Served, text: str) -> str:
    """Answers of a chat start without the space that some tokenizers put first."""
    return text.lstrip() if served.template else text
