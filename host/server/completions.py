"""POST /v1/completions."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from host.engine.request import Request
from host.server.api_error import ApiError, JSONAnswer
from host.server.chat import FINISH
from host.server.logprobs import completion_logprobs
from host.server.models import check_model
from host.server.prompts import completion_prompts
from host.server.requests import check_masks, engine_requests
from host.server.running import EventStream, finished, merged_updates
from host.server.served import Served
from host.server.usage import timings, usage
from host.server.validation import checked_completion, read_json
from host.server.worker import Ticket, Update

__all__ = ["completions"]

_TOKENS = 16
"""New tokens where a request does not say, as OpenAI has it."""


class _Call(NamedTuple):
    """A request on its way. echoes: the text of each prompt, empty where it is not asked for."""

    served: Served
    fields: Mapping[str, Any]
    requests: Sequence[Request]
    echoes: Sequence[str]

    @property
    def choices(self) -> int:
        """Answers to each prompt."""
        return int(self.fields.get("n", 1))

    @property
    def silent(self) -> bool:
        return self.fields.get("max_tokens") == 0


async def completions(served: Served, http: HttpRequest) -> Response:
    """What follows prompts, whole or as a stream."""
    fields = checked_completion(await read_json(http))
    check_model(served, fields.get("model"))
    call = await run_in_threadpool(_prepared, served, fields)
    tickets = served.worker.submit(call.requests, silent=call.silent)
    head = {"id": f"cmpl-{secrets.token_hex(12)}", "object": "text_completion", "created": int(time.time()),
            "model": served.name}
    if fields.get("stream"):
        return EventStream(_chunks(call, head, tickets), lambda: served.worker.cancel(tickets))
    await finished(served.worker, tickets, http)
    check_masks(tickets)
    choices = [{"index": index, "text": _echo(call, index) + ticket.text, "finish_reason": FINISH[ticket.finish],
                "logprobs": _logprobs(call, index, ticket, ticket, None)} for index, ticket in enumerate(tickets)]
    return JSONAnswer({**head, "choices": choices, "usage": usage(tickets, call.choices),
                       "timings": timings(tickets[0])})


def _prepared(served: Served, fields: Mapping[str, Any]) -> _Call:
    if fields.get("suffix"):
        raise ApiError(422, "suffix is not served", param="suffix")
    if fields.get("best_of", fields.get("n", 1)) != fields.get("n", 1):
        raise ApiError(422, "best_of other than n is not served", param="best_of")
    prompts = completion_prompts(served, fields["prompt"])
    grammar = served.grammars.of_format(fields["response_format"]) if "response_format" in fields else None
    logprobs = int(fields["logprobs"]) if "logprobs" in fields else None
    requests = engine_requests(served, fields, prompts, limit=int(fields.get("max_tokens", _TOKENS)),
                               logprobs=logprobs, prompt_logprobs=logprobs is not None and bool(fields.get("echo")),
                               grammar=grammar)
    return _Call(served, fields, requests, _echoes(served, fields, prompts))


def _echoes(served: Served, fields: Mapping[str, Any], prompts: Sequence[Sequence[int]]) -> list[str]:
    """The prompts as they were written, or as their ids read."""
    if not fields.get("echo"):
        return []
    given = fields["prompt"]
    texts = [given] if isinstance(given, str) else given if isinstance(given[0], str) else None
    if texts is not None and "logprobs" not in fields:
        return texts
    return ["".join(map(served.token_text.shown, ids)) for ids in prompts]


def _echo(call: _Call, index: int) -> str:
    return call.echoes[index // call.choices] if call.echoes else ""


def _logprobs(call: _Call, index: int, ticket: Ticket, given: Ticket | Update, offset: int | None
              ) -> dict[str, list[Any]] | None:
    """Of what is given of an answer, the prompt's in front of its start. offset: where in the text it begins, None for
    the start."""
    if "logprobs" not in call.fields:
        return None
    first = call.requests[index].ids[0] if call.echoes and offset is None else None
    before = ticket.reply.prompt_scores if first is not None else []
    return completion_logprobs([*before, *given.scores], call.served.token_text, first=first, offset=offset or 0)


async def _chunks(call: _Call, head: Mapping[str, Any], tickets: Sequence[Ticket]) -> AsyncIterator[dict[str, Any]]:
    sent: list[int | None] = [None] * len(tickets)  # characters
    async for index, update in merged_updates(tickets):
        if update.finish is not None:
            check_masks([tickets[index]])
        text = (_echo(call, index) if sent[index] is None else "") + update.text
        finish = None if update.finish is None else FINISH[update.finish]
        if text or update.scores or finish:
            logprobs = _logprobs(call, index, tickets[index], update, sent[index])
            yield {**head, "choices": [{"index": index, "text": text, "finish_reason": finish, "logprobs": logprobs}]}
        sent[index] = (sent[index] or 0) + len(text)
    if call.fields.get("stream_options", {}).get("include_usage"):
        yield {**head, "choices": [], "usage": usage(tickets, call.choices), "timings": timings(tickets[0])}
