"""Requests to the engine from the fields that chats and completions share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from host.engine.logits import LogitBias
from host.engine.request import Request
from host.sampler import TEMPERATURE, TOP_P, Sampler
from host.server.api_error import ApiError, refused
from host.server.grammar_mask import GrammarMask
from host.server.served import Served
from host.server.worker import Ticket
from host.speculation import PromptLookup
from host.stop_strings import stop_ids

__all__ = ["check_masks", "engine_requests", "stops_of"]

def engine_requests(served: Served, fields: Mapping[str, Any], prompts: Sequence[Sequence[int]], *, limit: int | None,
                    ends: Collection[int] | None = None, logprobs: int | None = None, prompt_logprobs: bool = False,
                    grammar: str | None = None) -> list[Request]:
    """`n` requests a prompt, in the order of OpenAI's choices: all of the first prompt, then of the next.

    limit: new tokens at most that were asked for, None for as many as the context has room for; 0 is one here, which
    `Ticket` keeps to itself. grammar: what answers must be of.
    """
    stops = stops_of(fields)
    with refused(400, param="stop"):
        stop_ids(stops, served.text)
    most = served.limits.tokens
    count = limit if most is None else most if limit is None else min(limit, most)
    stages = served.stages.chosen(fields.get("stages", ()))
    bias, drafts = _bias(served, fields), int(fields.get("speculate", served.limits.drafts))
    if drafts >= served.session.rows:
        raise ApiError(422, f"{drafts} drafts and the last token exceed the {served.session.rows} rows of a pass",
                       param="speculate")
    if served.session.program.head != "exact" and (logprobs is not None or bias or grammar):
        raise ApiError(422, "log-probabilities, biases and grammars need a server with --head exact", code="no_logits")
    requests = []
    with refused(400):
        for prompt in prompts:
            for choice in range(int(fields.get("n", 1))):
                edit = served.grammars.mask(grammar, len(prompt), bias) if grammar else bias
                requests.append(Request(
                    prompt, _sampler(fields, choice), None if count is None else max(1, count), ends, stops,
                    PromptLookup(drafts) if drafts else None, stages, logprobs=logprobs,
                    prompt_logprobs=prompt_logprobs, edit=edit))
    return requests


def stops_of(fields: Mapping[str, Any]) -> list[str]:
    """The stop strings of a request."""
    stops = fields.get("stop", [])
    return [stops] if isinstance(stops, str) else stops


def check_masks(tickets: Sequence[Ticket]) -> None:
    """`ApiError` where a grammar became too much for its library in the midst of an answer."""
    for ticket in tickets:
        edit = ticket.reply.request.edit
        if isinstance(edit, GrammarMask) and edit.failed:
            raise ApiError(422, f"the answer cannot be held to this grammar: {edit.failed[:300]}", code="grammar")


def _sampler(fields: Mapping[str, Any], choice: int) -> Sampler:
    seed = fields.get("seed")
    return Sampler(temperature=float(fields.get("temperature", TEMPERATURE)), top_k=int(fields.get("top_k", 0)),
                   top_p=float(fields.get("top_p", TOP_P)), min_p=float(fields.get("min_p", 0)),
                   seed=None if seed is None else (int(seed) + choice) % 2**64,
                   repeat_penalty=float(fields.get("repeat_penalty", 1)),
                   repeat_last=int(fields.get("repeat_last", 64)),
                   presence_penalty=float(fields.get("presence_penalty", 0)),
                   frequency_penalty=float(fields.get("frequency_penalty", 0)))


def _bias(served: Served, fields: Mapping[str, Any]) -> LogitBias | None:
    given = {int(token): float(value) for token, value in fields.get("logit_bias", {}).items()}
    with refused(400, param="logit_bias"):
        return LogitBias(given, served.session.model.config.vocab_size) if given else None

