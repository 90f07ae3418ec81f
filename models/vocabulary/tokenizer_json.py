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

__all__ = ["AddedToken", "assemble", "check_tokenizer", "load_tokenizer"]


@dataclass(frozen=True)
class AddedToken:
    """A token that is found in a text before anything else: special ones are names, left out when decoding.

    normalized: look for it in the normalised text; lstrip, rstrip: spaces beside it belong to it.
    """

    id: int
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

    where: what to name in the error. The model may have more ids than the tokenizer: padding of its tables.
    """
    with contained(f"{where}: expected a tokenizer"):
        vocabulary = Tokenizer.from_str(text).get_vocab(with_added_tokens=True)
    if not vocabulary:
        raise ModelError(f"{where}: expected a tokenizer, found no vocabulary in it")
    token, largest = max(vocabulary.items(), key=lambda item: item[1])
    if largest >= vocab_size:
        raise ModelError(f"{where}: vocabulary: expected ids below the model's vocab_size of {vocab_size}, "
                         f"found {largest} ({token!r})")


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a `tokenizer.json`; `ModelError`, in one line, for a file that is none."""
    text = read_text(path)
    with contained(f"{path}: expected a tokenizer"):
        return Tokenizer.from_str(text)


def _sequence(steps: Sequence[Mapping], name: str) -> Mapping | None:
    if len(steps) < 2:
        return steps[0] if steps else None
    return {"type": "Sequence", name: list(steps)}
