"""POST /v1/chat/completions."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from host.engine.reply import Finish
from host.engine.request import Request
from host.server.api_error import JSONAnswer
from host.server.prompts import chat_prompt
from host.server.requests import engine_requests
from host.server.running import EventStream, finished, merged_updates
from host.server.served import Served
from host.server.usage import timings, usage
from host.server.validation import checked_chat, read_json
from host.server.worker import Ticket

__all__ = ["FINISH", "chat_completions"]

FINISH = {Finish.END: "stop", Finish.STOP: "stop", Finish.LIMIT: "length", Finish.CONTEXT: "length",
          Finish.CANCELLED: "stop"}
"""OpenAI's names for why an answer ended."""


async def chat_completions(served: Served, http: HttpRequest) -> Response:
    """An answer to messages, whole or as a stream."""
    fields = checked_chat(await read_json(http))
    requests = await run_in_threadpool(_requests, served, fields)
    tickets = served.worker.submit(requests)
    head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": served.name}
    if fields.get("stream"):
        return EventStream(_chunks(served, fields, head, tickets), lambda: served.worker.cancel(tickets))
    await finished(served.worker, tickets, http)
    choices = [{"index": index, "message": {"role": "assistant", "content": _shown(served, ticket.text)},
                "finish_reason": FINISH[ticket.finish], "logprobs": None} for index, ticket in enumerate(tickets)]
    return JSONAnswer({**head, "object": "chat.completion", "choices": choices,
                       "usage": usage(tickets, len(tickets)), "timings": timings(tickets[0])})


def _requests(served: Served, fields: Mapping[str, Any]) -> list[Request]:
    limit = fields.get("max_completion_tokens", fields.get("max_tokens"))
    ids = chat_prompt(served, fields["messages"])
    return engine_requests(served, fields, [ids], limit=None if limit is None else max(1, int(limit)),
                           ends=served.ends)


async def _chunks(served: Served, fields: Mapping[str, Any], head: Mapping[str, Any], tickets: Sequence[Ticket]
                  ) -> AsyncIterator[dict[str, Any]]:
    def chunk(index: int, delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}
        return {**head, "object": "chat.completion.chunk", "choices": [choice]}

    for index in range(len(tickets)):
        yield chunk(index, {"role": "assistant", "content": ""})
    async for index, update in merged_updates(tickets):
        ticket = tickets[index]
        starts = len(ticket.text) == len(update.text)
        if piece := _shown(served, update.text) if starts else update.text:
            yield chunk(index, {"content": piece})
        if update.finish is not None:
            yield chunk(index, {}, FINISH[update.finish])
    if fields.get("stream_options", {}).get("include_usage"):
        yield {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage(tickets, len(tickets)),
               "timings": timings(tickets[0])}


def _shown(served: Served, text: str) -> str:
    """Answers of a chat start without the space that some tokenizers put first."""
    return text.lstrip() if served.template else text
