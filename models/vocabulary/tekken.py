"""Mistral's `tekken.json`: byte sequences with ranks, as tiktoken has them, after a block of special tokens."""

from __future__ import annotations

import base64
from pathlib import Path

from models.errors import ModelError, located
from models.json_file import read_object
from models.vocabulary.byte_level import BYTE_CHARACTERS, byte_level_tokenizer
from models.vocabulary.limits import MOST_TOKENS, check_tokens
from models.vocabulary.merges import merges_of_ranked
from models.vocabulary.splitting import Splitting, split_bytes
from models.vocabulary.tokenizer_json import AddedToken

__all__ = ["read_tekken"]

# The first special tokens of files that do not list them; the others are fillers.
_SPECIAL = ("<unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS] [/TOOL_RESULTS] "
            "[TOOL_CALLS] [IMG] <pad> [IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE] [SUFFIX] [SYSTEM_PROMPT] "
            "[/SYSTEM_PROMPT] [TOOL_CONTENT]").split()


def read_tekken(path: Path) -> str:
    """The contents of a `tokenizer.json`. `ModelError` for a file that is damaged or something else."""
    data = read_object(path)
    with located(path):
        try:
            config, entries = data["config"], data["vocab"]
            count, specials = config["default_vocab_size"], config["default_num_special_tokens"]
            _check_counts(count, specials)
            listed = {item["rank"]: item["token_str"] for item in data.get("special_tokens") or
                      [{"rank": rank, "token_str": text} for rank, text in enumerate(_SPECIAL)]}
            words = [_word(item["token_bytes"]) for item in entries[:count - specials]]
            pattern = config["pattern"]
            sound = all(isinstance(text, str) for text in (pattern, *listed.values()))
        except (AttributeError, KeyError, TypeError, ValueError):
            sound = False
        if not sound:
            raise ModelError("expected a tekken tokenizer, found something else")
        added = [AddedToken(rank, listed.get(rank, f"<SPECIAL_{rank}>"), special=True) for rank in range(specials)]
        vocabulary = {token.content: token.id for token in added}
        vocabulary |= {word: specials + rank for rank, word in enumerate(words)}
        if len(vocabulary) != specials + len(words):
            raise ModelError("vocabulary: expected different tokens, found one twice")
        check_tokens(vocabulary)
        return byte_level_tokenizer(vocabulary, merges_of_ranked(words, vocabulary),
                                    Splitting(split_bytes(pattern), ignore_merges=True), added)


def _check_counts(count: object, specials: object) -> None:
    if type(count) is not int or type(specials) is not int:
        raise TypeError
    if not 0 <= specials <= count <= MOST_TOKENS:
        raise ModelError(f"expected at most {MOST_TOKENS:,} tokens, some of them special, found {count} and {specials}")


def _word(data: str) -> str:
    return "".join(BYTE_CHARACTERS[byte] for byte in base64.b64decode(data, validate=True))
