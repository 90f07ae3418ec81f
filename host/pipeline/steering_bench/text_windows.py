"""A continuation's text in windows of equally many tokens, none of which cuts a word in two."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from host.text import Text

__all__ = ["text_windows"]


def text_windows(text: Text, prompt: Sequence[int], ids: Sequence[int], size: int, ends: Collection[int] = ()
                 ) -> list[str]:
    """The text of each whole window of `size` of the ids that follow a prompt; a word belongs where it begins.

    ends: ids that end a text; nothing from the first of them on counts.
    """
    stop = next((index for index, token in enumerate(ids) if token in ends), len(ids))
    whole = text.decode([*prompt, *ids[:stop]])
    bounds = [_behind_word(whole, len(text.decode([*prompt, *ids[:count]]))) for count in range(0, stop + 1, size)]
    return [whole[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]


def _behind_word(text: str, at: int) -> int:
    """The first position from `at` on that stands in no word."""
    while 0 < at < len(text) and text[at - 1].isalpha() and text[at].isalpha():
        at += 1
    return at
