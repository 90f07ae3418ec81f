"""Log-probabilities in OpenAI's two forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from host.engine.logits import TokenScore
from host.server.token_text import TokenText

__all__ = ["chat_logprobs", "completion_logprobs"]


def chat_logprobs(scores: Sequence[TokenScore], token_text: TokenText) -> dict[str, Any]:
    """Of an answer's tokens, each with its alternatives."""
    def entry(token: int, logprob: float) -> dict[str, Any]:
        return {"token": token_text(token), "logprob": logprob, "bytes": token_text.bytes_of(token)}

    return {"content": [{**entry(score.token, score.logprob),
                         "top_logprobs": [entry(token, value) for token, value in score.best]} for score in scores],
            "refusal": None}


def completion_logprobs(scores: Sequence[TokenScore], token_text: TokenText, *, first: int | None = None,
                        offset: int = 0) -> dict[str, Any]:
    """Four lists of one length. first: a token in front of them that nothing predicts; offset: of the first character.

    Alternatives that are written alike, pieces of characters, share an entry, the best one's.
    """
    tokens = [*([] if first is None else [first]), *(score.token for score in scores)]
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token_text.shown(token))
    none = [] if first is None else [None]
    return {"tokens": [token_text(token) for token in tokens],
            "token_logprobs": [*none, *(score.logprob for score in scores)],
            "top_logprobs": [*none, *(_by_text(score, token_text) for score in scores)],
            "text_offset": offsets}


def _by_text(score: TokenScore, token_text: TokenText) -> dict[str, float]:
    """The alternatives and, as OpenAI has it, the token itself."""
    found: dict[str, float] = {}
    for token, logprob in (*score.best, (score.token, score.logprob)):
        found.setdefault(token_text(token), logprob)
    return found
