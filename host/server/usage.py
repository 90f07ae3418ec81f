"""What requests took, in OpenAI's form, with drafts and times beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from host.server.worker import Ticket

__all__ = ["timings", "usage"]


def usage(tickets: Sequence[Ticket], choices: int = 1, shown: int | None = None) -> dict[str, Any]:
    """Counts over all answers; a prompt counts once for its `choices` answers. shown: new tokens of each at most."""
    prompt = sum(len(ticket.reply.request.ids) for ticket in tickets[::choices])
    new = sum(len(ticket.ids) if shown is None else min(shown, len(ticket.ids)) for ticket in tickets)
    drafted = sum(ticket.reply.drafted for ticket in tickets)
    accepted = sum(ticket.reply.accepted for ticket in tickets)
    return {"prompt_tokens": prompt, "completion_tokens": new, "total_tokens": prompt + new,
            "prompt_tokens_details": {"cached_tokens": sum(ticket.reply.cached for ticket in tickets[::choices])},
            "completion_tokens_details": {
                "drafted_tokens": drafted, "accepted_tokens": accepted, "accepted_prediction_tokens": accepted,
                "rejected_prediction_tokens": drafted - accepted, "reasoning_tokens": 0}}


def timings(ticket: Ticket) -> dict[str, float]:
    """Of one answer: seconds to its first token and after it, tokens a second."""
    reply = ticket.reply
    return {"prefill_s": reply.prefill_s, "decode_s": reply.decode_s, "tokens_per_s": reply.speed}
