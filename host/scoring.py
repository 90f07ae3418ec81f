"""How well a model predicts tokens: windows of its context, logits, negative log-likelihood, perplexity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from host.runtime import Session
from models.errors import OptionError
from models.golden.head import LOGIT_FRACTION

__all__ = ["float_negative_log_likelihood", "negative_log_likelihood", "perplexity", "score_windows", "token_losses",
           "total_nll", "windows"]


def windows(tokens: int, context: int) -> Iterator[tuple[int, int, int]]:
    """(start, first scored, end) of windows of the context, stride half of it, that score each position once.

    A position is a token whose successor is predicted; the last token has none.
    """
    start = scored = 0
    while scored < tokens:
        end = min(start + context, tokens)
        yield start, scored, end
        scored = end
        start = max(0, end - (context - context // 2))


def score_windows(session: Session, ids: Sequence[int], on_tokens: Callable[[int], None] | None = None,
                  lead: Sequence[int] = ()) -> Iterator[tuple[int, np.ndarray]]:
    """(position, integer logits [tokens, vocab]) for runs of tokens that cover `ids` in order.

    lead: what each window reads first, and is not scored on.
    """
    if len(lead) >= session.context:
        raise OptionError(f"a context of {session.context} has no room for text behind a control token")
    for start, scored, end in windows(len(ids), session.context - len(lead)):
        session.reset()
        if before := [*lead, *ids[start:scored]]:
            session.feed(before)
        yield scored, session.score(ids[scored:end], on_tokens)


def total_nll(session: Session, ids: Sequence[int], on_tokens: Callable[[int], None] | None = None,
              on_logits: Callable[[np.ndarray], None] | None = None, lead: Sequence[int] = ()) -> float:
    """Total -log p, in nats, of all ids but the first; on_logits sees the logits of `score_windows`. lead: as there.
    """
    nll = 0.0
    for position, logits in score_windows(session, ids, on_tokens, lead):
        nll += negative_log_likelihood(logits, np.asarray(ids[position + 1:position + 1 + len(logits)], np.int64))
        if on_logits:
            on_logits(logits)
    return nll


def negative_log_likelihood(logits: np.ndarray, targets: np.ndarray) -> float:
    """Total -log p, in nats, of targets [n] under integer logits [n, vocab]."""
    return float_negative_log_likelihood(logits / float(1 << LOGIT_FRACTION), targets)


def float_negative_log_likelihood(values: np.ndarray, targets: np.ndarray) -> float:
    """The same under float64 logits; those beyond the last target are left out."""
    return float(_losses(values, targets).sum())


def token_losses(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """-log p, in nats, of each of the targets [n] under integer logits [n, vocab]: float64 [n]."""
    return _losses(logits / float(1 << LOGIT_FRACTION), targets)


def _losses(values: np.ndarray, targets: np.ndarray) -> np.ndarray:
    values = values[:len(targets)]
    top = values.max(axis=1, keepdims=True)
    normaliser = np.log(np.exp(values - top).sum(axis=1)) + top[:, 0]
    return normaliser - values[np.arange(len(targets)), targets]


def perplexity(nll: float, predicted: int) -> float | None:
    """exp(nll / predicted); None where nothing was predicted, or where it leaves float64 (a model of noise)."""
    try:
        return math.exp(nll / predicted) if predicted else None
    except OverflowError:
        return None
