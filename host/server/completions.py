"""POST /v1/completions."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from host.engine.request import Request
from host.server.api_error import JSONAnswer
from host.server.chat import FINISH
from host.server.prompts import completion_prompts
from host.server.requests import engine_requests
from host.server.running import EventStream, finished, merged_updates
from host.server.served import Served
from host.server.usage import timings, usage
from host.server.validation import checked_completion, read_json
from host.server.worker import Ticket

__all__ = ["completions"]

_TOKENS = 16
"""New tokens where a request does not say, as OpenAI has it."""


async def completions(served: Served, http: HttpRequest) -> Response:
    """What follows prompts, whole or as a stream."""
    fields = checked_completion(await read_json(http))
    requests = await run_in_threadpool(_requests, served, fields)
    tickets = served.worker.submit(requests)
    head = {"id": f"cmpl-{secrets.token_hex(12)}", "object": "text_completion", "created": int(time.time()),
            "model": served.name}
    if fields.get("stream"):
        return EventStream(_chunks(fields, head, tickets), lambda: served.worker.cancel(tickets))
    await finished(served.worker, tickets, http)
    choices = [{"index": index, "text": ticket.text, "finish_reason": FINISH[ticket.finish], "logprobs": None}
               for index, ticket in enumerate(tickets)]
    return JSONAnswer({**head, "choices": choices, "usage": usage(tickets, int(fields.get("n", 1))),
                       "timings": timings(tickets[0])})


def _requests(served: Served, fields: Mapping[str, Any]) -> list[Request]:
    prompts = completion_prompts(served, fields["prompt"])
    return engine_requests(served, fields, prompts, limit=max(1, int(fields.get("max_tokens", _TOKENS))))


async def _chunks(fields: Mapping[str, Any], head: Mapping[str, Any], tickets: Sequence[Ticket]
                  ) -> AsyncIterator[dict[str, Any]]:
    async for index, update in merged_updates(tickets):
        finish = None if update.finish is None else FINISH[update.finish]
        if update.text or finish:
            yield {**head, "choices": [{"index": index, "text": update.text, "finish_reason": finish,
                                        "logprobs": None}]}
    if fields.get("stream_options", {}).get("include_usage"):
        yield {**head, "choices": [], "usage": usage(tickets, int(fields.get("n", 1))),
               "timings": timings(tickets[0])}
