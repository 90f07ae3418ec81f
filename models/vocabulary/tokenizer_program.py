"""A tokenizer tried out, in the process that contains it (`models.containment`): nothing of ours is imported here."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

__all__ = ["start"]

_RUN, _LONG = 1000, 10_000  # characters of the short probes and the long ones
_RUNS = "aZ0 \n\t.-=_é你😀\u0301\x00"
_MIXED = "Hello, World's 1234567890 привет 你好世界 e\u0301 ﬁ ㎏ 👩‍👩‍👧 \u00a0\u2028\t\r\n <x> {y} // 3.14 __z__   "
_ALPHABET = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ "
_SIGNS = 100  # characters out of a file's regular expressions, and as many of its other patterns, that are tried
_NAMES = 1000  # added tokens that are tried
_SINGLE = 500  # tokens that are decoded alone
_PATTERN = re.compile(r'"(Regex|String)"\s*:\s*("(?:[^"\\]|\\.){0,10000}")')


def start(setup: dict) -> Callable[[str], dict]:
    """setup: the `longest` token, in characters, and the `growth` at most, of text in ids and of ids in text.

    Returns what tries the contents of a `tokenizer.json`: {"count": of tokens, "largest": [token, id]}.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer

    longest, growth = setup["longest"], setup["growth"]

    def tried(text: str) -> dict:
        tokenizer = Tokenizer.from_str(text)
        vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        if not vocabulary:
            return {"count": 0, "largest": None}
        token = max(vocabulary, key=len)
        if len(token) > longest:
            raise ValueError(f"token {vocabulary[token]} has {len(token):,} characters, more than {longest:,}")
        tokenizer.no_truncation()
        tokenizer.no_padding()
        for probe in _probes(text, tokenizer):
            _encode(tokenizer, probe, growth)
        _decode(tokenizer, vocabulary, growth)
        return {"count": len(vocabulary), "largest": max(vocabulary.items(), key=lambda item: item[1])}

    return tried


def _probes(text: str, tokenizer: Any) -> Iterator[str]:
    """Texts that are hard for some tokenizers: runs, the letters that their own expressions name, tokens' names."""
    yield ""
    yield _MIXED * (_LONG // len(_MIXED))
    yield _ALPHABET * 10
    yield "a" * _LONG
    for sign in _RUNS:
        yield sign * _RUN + "!"
    for pattern in _patterns(text, "String")[:_SIGNS]:
        yield pattern * (_RUN // (len(pattern) + 1))
    signs = set("".join(_patterns(text, "Regex"))) - set(_RUNS)
    for sign in sorted(signs)[:_SIGNS]:
        yield sign * _RUN + "\x01"
    names = [token.content for token in tokenizer.get_added_tokens_decoder().values()][:_NAMES]
    yield "".join(names)
    yield " a ".join(names)


def _patterns(text: str, kind: str) -> list[str]:
    found = []
    for name, quoted in _PATTERN.findall(text):
        with suppress(ValueError):  # inside a token's text
            if name == kind:
                found.append(json.loads(quoted))
    return found


def _encode(tokenizer: Any, text: str, growth: int) -> None:
    """Both ways of reading names. A text that the tokenizer has no tokens for is no fault of the file's."""
    for plain in (False, True):
        tokenizer.encode_special_tokens = plain
        try:
            ids = tokenizer.encode(text, add_special_tokens=not plain).ids
        except Exception:
            return
        if len(ids) > growth * (len(text.encode()) + 1):
            raise ValueError(f"a text of {len(text):,} characters becomes {len(ids):,} ids")


def _decode(tokenizer: Any, vocabulary: dict[str, int], growth: int) -> None:
    tokens = list(vocabulary.items())[:_LONG]
    for some in (tokens, *([token] for token in tokens[:_SINGLE])):
        text = tokenizer.decode([index for _, index in some], skip_special_tokens=True)
        if len(text) > growth * (sum(len(token) for token, _ in some) + 1):
            raise ValueError(f"{len(some):,} ids become a text of {len(text):,} characters")
