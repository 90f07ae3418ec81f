"""The parts of a `tokenizer.json`, put together and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from models.errors import ModelError
from models.json_file import read_text
from models.vocabulary.panics import contained
from models.vocabulary.trial import try_once, try_tokenizer

__all__ = ["TOKEN_FLAGS", "AddedToken", "assemble", "check_tokenizer", "load_tokenizer"]

TOKEN_FLAGS = ("special", "normalized", "lstrip", "rstrip", "single_word")
"""Settings of an `AddedToken` that are true or false."""


@dataclass(frozen=True)
class AddedToken:
    """A token that is found in a text before anything else: special ones are names, left out when decoding.

    id: None where it is only named. normalized: look for it in the normalised text; lstrip, rstrip: spaces beside it
    belong to it.
    """

    id: int | None
    content: str
    special: bool = False
    normalized: bool = False
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False


def assemble(model: Mapping[str, object], *, normalizer: Sequence[Mapping], pre_tokenizer: Sequence[Mapping],
             decoder: Sequence[Mapping], added: Sequence[AddedToken]) -> str:
    """The contents of a `tokenizer.json`; each part is the steps that it runs in turn."""
    return json.dumps({
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [vars(token) for token in sorted(added, key=lambda token: token.id)],
        "normalizer": _sequence(normalizer, "normalizers"), "pre_tokenizer": _sequence(pre_tokenizer, "pretokenizers"),
        "post_processor": None, "decoder": _sequence(decoder, "decoders"), "model": dict(model)}, ensure_ascii=False)


def check_tokenizer(text: str, vocab_size: int, where: object) -> None:
    """`ModelError` unless `text` is a tokenizer whose ids, added tokens included, are below `vocab_size`.

    It is tried out first (`trial`). where: what to name in the error. The model may have more ids than the tokenizer:
    padding of its tables.
    """
    found = try_tokenizer(text, f"{where}: expected a tokenizer")
    if found is None:
        raise ModelError(f"{where}: expected a tokenizer, found no vocabulary in it")
    token, largest = found
    if largest >= vocab_size:
        raise ModelError(f"{where}: vocabulary: expected ids below the model's vocab_size of {vocab_size}, "
                         f"found {largest} ({token!r})")


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a `tokenizer.json`, for texts of any length whatever it says of truncation and padding.

    It is tried out first, unless it was before on this computer. `ModelError`, in one line, for a file that is none.
    """
    text = read_text(path)
    refused = f"{path} is not a tokenizer"
    try_once(text, refused)
    with contained(refused):
        tokenizer = Tokenizer.from_str(text)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _sequence(steps: Sequence[Mapping], name: str) -> Mapping | None:
    if len(steps) < 2:
        return steps[0] if steps else None
    return {"type": "Sequence", name: list(steps)}
