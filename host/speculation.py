"""Speculative decoding by prompt look-up: drafts copied from the text so far, checked by the model in one pass.

A pass over the last token and K drafts returns the best next tokens after each. A draft stands where it is the token
that the sampler chooses; the first that is not ends the pass, and the cache behind it is given up. So what is said is
what plain decoding says, token by token, with any sampler: drafts change the number of passes alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from hw.boards.registry import BUILDS
from models.errors import OptionError

__all__ = ["DRAFTS", "PromptLookup"]

DRAFTS = BUILDS["kv260"].rows - 1  # with the last token, the rows that share a weight
LONGEST = 3


class PromptLookup:
    """Up to `drafts` tokens that followed the last ones the last time they came.

    The longest match of at most `longest` tokens counts, the latest of equals. A copy that arrives at the end of the
    text goes on with itself.
    """

    def __init__(self, drafts: int = DRAFTS, longest: int = LONGEST):
        if drafts < 1:
            raise OptionError(f"drafts must be at least 1, got {drafts}")
        self.drafts, self._longest = drafts, longest
        self._ids: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}  # where the text went on after these tokens

    def extend(self, ids: Sequence[int]) -> None:
        """Append to the text."""
        for token in ids:
            end = len(self._ids)
            for size in range(1, min(self._longest, end) + 1):
                self._after[tuple(self._ids[end - size:])] = end
            self._ids.append(token)

    def propose(self, limit: int) -> list[int]:
        """Drafts for what comes next, at most `limit`."""
        for size in range(min(self._longest, len(self._ids)), 0, -1):
            start = self._after.get(tuple(self._ids[-size:]))
            if start is not None:
                text = list(self._ids)
                for index in range(start, start + min(limit, self.drafts)):
                    text.append(text[index])
                return text[len(self._ids):]
        return []
