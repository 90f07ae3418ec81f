"""Signatures of induction heads: what a head looks at in repeated sequences, and whether it writes what it looks at.

Sources: "What needs to go right for an induction head?" (match and copy); "Induction Signatures Are Not Enough" (the
backward direction as a control). A signature says what a head does, not that the model needs it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.formats.source import FloatModel

__all__ = ["Looks", "copying", "looks"]


class Looks(NamedTuple):
    """Mean attention of the second half's queries, float64 [layers, heads] each.

    prefix: to the token behind the query's earlier occurrence. before: to the one in front of it (anti-induction).
    same: to the occurrence itself. previous: to the token just before the query. elsewhere: to the mean of all other
    tokens of the first half, which is what chance gives.
    """

    prefix: np.ndarray
    before: np.ndarray
    same: np.ndarray
    previous: np.ndarray
    elsewhere: np.ndarray


def looks(weights: np.ndarray, period: int) -> Looks:
    """Of one sequence of `period` different tokens that come twice. weights: [layers, heads, 2 period, 2 period].

    Queries are those of the second half that have a token in front of their earlier occurrence, and whose next token
    is foretold: all but the first and the last.
    """
    queries = np.arange(period + 1, 2 * period - 1)
    earlier = queries - period

    def mean(keys: np.ndarray) -> np.ndarray:
        return weights[:, :, queries, keys].mean(axis=-1)

    found = {"prefix": mean(earlier + 1), "before": mean(earlier - 1), "same": mean(earlier)}
    rest = weights[:, :, queries, :period].sum(axis=-1).mean(axis=-1) - sum(found.values())
    return Looks(**found, previous=mean(queries - 1), elsewhere=rest / max(period - 3, 1))


def copying(model: FloatModel, inputs: np.ndarray, ids: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """How surely each head writes the token that it looks at: float64 [layers, heads], 1: always first, 0.5: chance.

    The share of the tokens of `pool` whose logits its output raises less than that of the token looked at: the input
    [layers, tokens, hidden] that a device gave the value matrix goes through the head's values, its slice of the output
    matrix and the head of the model, nothing else. Norms scale this output by a positive factor only, beside their
    gains. ids [tokens], all in `pool`. Matrices and gains are the float twin's.
    """
    config = model.config
    table = np.asarray(model.embedding if model.head is None else model.head)[pool] * model.final_gains
    own = np.searchsorted(pool, ids)
    group, size = config.heads // config.kv_heads, config.head_dim
    found = np.empty((config.layers, config.heads))
    for index, layer in enumerate(model.layers):
        values = inputs[index] @ layer.linears["v"].trits.T.astype(np.float64)
        gains = layer.gains.get("attn_sub", np.ones(config.attention_size))
        for head in range(config.heads):
            shared, mine = (slice(at * size, (at + 1) * size) for at in (head // group, head))
            written = values[:, shared] * gains[mine] @ layer.linears["o"].trits[:, mine].T.astype(np.float64)
            logits = written @ table.T
            mark = logits[np.arange(len(ids)), own][:, None]
            # a tie counts half, so that a head which writes nothing is at chance
            below = (logits < mark).sum(axis=1) + ((logits == mark).sum(axis=1) - 1) / 2
            found[index, head] = (below / (len(pool) - 1)).mean()
    return found
