"""Which rows go into the next pass.

Every running request has `pending` ids that are not in its cache: of a prompt, what is left of it; of one that decodes,
the id that came last. The head is to run only on rows whose next token is wanted, and those lie at the end of a pass
(`Session.advance`). So one prompt a pass can end with its last row among them; of others the last id is left for the
next pass, where it is a row like those of decoding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["Plan", "Share", "Turn", "plan_pass"]


class Turn(NamedTuple):
    """What a sequence could give the next pass. drafts: how many it would like checked; served: its last pass."""

    sequence: int
    pending: int
    drafts: int = 0
    served: int = 0


class Share(NamedTuple):
    """What a sequence gives a pass: so many pending ids, then so many drafts. scored: a next token is wanted."""

    sequence: int
    ids: int
    drafts: int
    scored: bool


class Plan(NamedTuple):
    """The shares of a pass, in the order of its rows; the head runs on rows from `head_from` on."""

    shares: tuple[Share, ...]
    head_from: int


def plan_pass(turns: Sequence[Turn], rows: int) -> Plan:
    """Shares of at most `rows` rows in all.

    Where sequences are more than rows, those go in that have waited longest, equals in the given order. Each has a row,
    so that all decode beside a prompt; prompts share the rest equally, and then drafts, which may be in vain.
    """
    chosen = sorted(turns, key=lambda turn: turn.served)[:rows]
    ids = _fair({turn.sequence: turn.pending for turn in chosen}, rows)
    ends = [turn.sequence for turn in chosen if ids[turn.sequence] == turn.pending > 1]
    for sequence in ends[1:]:
        ids[sequence] -= 1
    drafts = _fair({turn.sequence: turn.drafts for turn in chosen if turn.pending == 1}, rows - sum(ids.values()))
    pieces = sorted(set(ids) - set(drafts) - set(ends[:1])) + ends[:1]
    shares = [Share(sequence, ids[sequence], 0, sequence in ends[:1]) for sequence in pieces]
    shares += [Share(sequence, 1, drafts[sequence], True) for sequence in sorted(drafts)]
    return Plan(tuple(shares), sum(ids[sequence] for sequence in pieces) - len(ends[:1]))


def _fair(wanted: Mapping[int, int], rows: int) -> dict[int, int]:
    """Rows for each of those who want some: all that it wants, or an equal share with those who want more."""
    given = {}
    for behind, sequence in zip(range(len(wanted), 0, -1), sorted(wanted, key=wanted.get), strict=True):
        given[sequence] = min(wanted[sequence], rows // behind)
        rows -= given[sequence]
    return given
