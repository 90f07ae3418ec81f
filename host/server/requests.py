"""Requests to the engine from the fields that chats and completions share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from host.engine.request import Request
from host.sampler import TEMPERATURE, TOP_P, Sampler
from host.server.api_error import ApiError, refused
from host.server.served import Served
from host.speculation import PromptLookup
from host.stop_strings import stop_ids

__all__ = ["engine_requests"]


def engine_requests(served: Served, fields: Mapping[str, Any], prompts: Sequence[Sequence[int]], *, limit: int | None,
                    ends: Collection[int] | None = None) -> list[Request]:
    """`n` requests a prompt, in the order of OpenAI's choices: all of the first prompt, then of the next.

    limit: new tokens at most that were asked for, None for as many as the context has room for.
    """
    stops = fields.get("stop", [])
    stops = [stops] if isinstance(stops, str) else stops
    with refused(400, param="stop"):
        stop_ids(stops, served.text)
    most = served.limits.tokens
    count = limit if most is None else most if limit is None else min(limit, most)
    stages = served.stages.chosen(fields.get("stages", ()))
    choices = int(fields.get("n", 1))
    with refused(400):
        return [Request(prompt, _sampler(fields, choice), count, ends, stops, _drafts(served, fields), stages)
                for prompt in prompts for choice in range(choices)]


def _sampler(fields: Mapping[str, Any], choice: int) -> Sampler:
    seed = fields.get("seed")
    return Sampler(temperature=float(fields.get("temperature", TEMPERATURE)), top_k=int(fields.get("top_k", 0)),
                   top_p=float(fields.get("top_p", TOP_P)), min_p=float(fields.get("min_p", 0)),
                   seed=None if seed is None else (int(seed) + choice) % 2**64,
                   repeat_penalty=float(fields.get("repeat_penalty", 1)),
                   repeat_last=int(fields.get("repeat_last", 64)))


def _drafts(served: Served, fields: Mapping[str, Any]) -> PromptLookup | None:
    wanted, rows = int(fields.get("speculate", served.limits.drafts)), served.session.rows
    if wanted >= rows:
        raise ApiError(422, f"{wanted} drafts and the last token exceed the {rows} rows of a pass", param="speculate")
    return PromptLookup(wanted) if wanted else None
