"""Mistral's `tekken.json`: byte sequences with ranks, as tiktoken has them, after a block of special tokens."""

from __future__ import annotations

import base64
from pathlib import Path

from models.errors import ModelError
from models.json_file import read_object
from models.vocabulary.byte_level import BYTE_CHARACTERS, byte_level_tokenizer
from models.vocabulary.merges import merges_of_ranked
from models.vocabulary.splitting import Splitting, split_bytes
from models.vocabulary.tokenizer_json import AddedToken

__all__ = ["read_tekken"]

# The first special tokens of files that do not list them; the others are fillers.
_SPECIAL = ("<unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS] [/TOOL_RESULTS] "
            "[TOOL_CALLS] [IMG] <pad> [IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE] [SUFFIX] [SYSTEM_PROMPT] "
            "[/SYSTEM_PROMPT] [TOOL_CONTENT]").split()


def read_tekken(path: Path) -> str:
    """The contents of a `tokenizer.json`."""
    data = read_object(path)
    try:
        config = data["config"]
        specials = int(config["default_num_special_tokens"])
        listed = {int(item["rank"]): str(item["token_str"]) for item in data.get("special_tokens") or
                  [{"rank": rank, "token_str": text} for rank, text in enumerate(_SPECIAL)]}
        words = ["".join(BYTE_CHARACTERS[byte] for byte in base64.b64decode(item["token_bytes"]))
                 for item in data["vocab"][:int(config["default_vocab_size"]) - specials]]
        splitting = Splitting(split_bytes(str(config["pattern"])), ignore_merges=True)
    except (KeyError, TypeError, ValueError):
        raise ModelError(f"{path}: expected a tekken tokenizer, found something else") from None
    added = [AddedToken(rank, listed.get(rank, f"<SPECIAL_{rank}>"), special=True) for rank in range(specials)]
    vocabulary = {token.content: token.id for token in added}
    vocabulary |= {word: specials + rank for rank, word in enumerate(words)}
    if len(vocabulary) != specials + len(words):
        raise ModelError(f"{path}: vocabulary: expected different tokens, found one twice")
    return byte_level_tokenizer(vocabulary, merges_of_ranked(words, vocabulary), splitting, added)
