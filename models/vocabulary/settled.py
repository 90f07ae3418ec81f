"""A tokenizer's last touches at conversion: what stands beside it goes into it, so that nothing is left to decide.

At run time the `tokenizer.json` of a model folder is obeyed as it is: all added tokens are in it, truncation and
padding are off. What goes around a whole prompt is decided here too, and stands in `model.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tokenizers
from tokenizers import Tokenizer

from models.errors import ModelError
from models.vocabulary.declared import Declared
from models.vocabulary.panics import contained
from models.vocabulary.parts import Around
from models.vocabulary.tokenizer_json import TOKEN_FLAGS, AddedToken

__all__ = ["Settled", "settle"]

_PROBES = ("a", "0", " ", "\n")  # texts of which a vocabulary has one


@dataclass(frozen=True)
class Settled:
    """text: the contents of `tokenizer.json`; around: what goes around every prompt; end: the id of the end token that
    the folder names, None for none; notes: what there is to say of it."""

    text: str
    around: Around
    end: int | None
    notes: tuple[str, ...]


def settle(text: str, declared: Declared, vocab_size: int, where: object, *, own_frame: bool) -> Settled:
    """Take declared tokens into a tokenizer, lift its limits on lengths, and decide what goes around its prompts.

    own_frame: that is what its own post-processor says; otherwise what `add_bos_token` and `add_eos_token` ask for.
    Special tokens that have no id anywhere get the next free ones, as transformers does; those that would lie beyond
    the model's `vocab_size` are left out, and said.
    `ModelError` for a token that cannot have the id it was trained with: one beyond the model's, one that the
    vocabulary gives to another text, one that is not the next free.
    """
    with contained(f"{where}: expected a tokenizer"):
        tokenizer = Tokenizer.from_str(text)
    changed = tokenizer.truncation is not None or tokenizer.padding is not None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    _check_numbered(tokenizer, declared.numbered, where)
    numbered = _missing(tokenizer, declared.numbered)
    _add_numbered(tokenizer, numbered, where)
    named = _missing(tokenizer, declared.named)
    left_out = _add_named(tokenizer, named, vocab_size)
    if changed or numbered or len(named) > len(left_out):
        text = tokenizer.to_str()
    start, end = (tokenizer.token_to_id(declared.roles.get(role, "")) for role in ("bos", "eos"))
    if own_frame:
        with contained(f"{where}: expected a tokenizer"):
            around = _around(tokenizer)
        if (largest := max((*around.before, *around.after), default=0)) >= vocab_size:
            raise ModelError(f"{where}: post_processor: expected ids below the model's vocab_size of {vocab_size}, "
                             f"found {largest}")
    else:
        around = Around(*(() if index is None or not declared.asks(f"add_{role}_token") else (index,)
                          for role, index in (("bos", start), ("eos", end))))
    return Settled(text, around, end, tuple(f"special token {name!r} left out: the model has no id for it"
                                            for name in left_out))


def _around(tokenizer: Tokenizer) -> Around:
    """What the tokenizer's own post-processor puts around a text."""
    if tokenizer.post_processor is None or not tokenizer.num_special_tokens_to_add(False):
        return Around()
    text = next((text for text in _PROBES if tokenizer.encode(text, add_special_tokens=False).ids), "")
    found = tokenizer.encode(text)
    before = next((at for at, special in enumerate(found.special_tokens_mask) if not special), len(found.ids))
    after = before + len(tokenizer.encode(text, add_special_tokens=False).ids)
    return Around(tuple(found.ids[:before]), tuple(found.ids[after:]))


def _missing(tokenizer: Tokenizer, tokens: Sequence[AddedToken]) -> list[AddedToken]:
    """Those that are not among the added tokens with just these flags."""
    there = set(map(_flags, tokenizer.get_added_tokens_decoder().values()))
    return [token for token in tokens if _flags(token) not in there]


def _check_numbered(tokenizer: Tokenizer, tokens: Sequence[AddedToken], where: object) -> None:
    for token in tokens:
        what = f"{where}: added token {token.content!r}"
        other, own = tokenizer.id_to_token(token.id), tokenizer.token_to_id(token.content)
        if other not in (None, token.content):
            raise ModelError(f"{what}: id {token.id} is {other!r} in the vocabulary")
        if own not in (None, token.id):
            raise ModelError(f"{what}: expected id {token.id}, found {own} in the vocabulary")


def _add_numbered(tokenizer: Tokenizer, tokens: Sequence[AddedToken], where: object) -> None:
    with contained(f"{where}: added tokens"):
        tokenizer.add_tokens([_library_token(token) for token in tokens])
    for token in tokens:
        if (found := tokenizer.token_to_id(token.content)) != token.id:
            raise ModelError(f"{where}: added token {token.content!r}: cannot be added with id {token.id}, as the next "
                             f"one free is {found}")


def _add_named(tokenizer: Tokenizer, tokens: Sequence[AddedToken], vocab_size: int) -> list[str]:
    """Make tokens special, one by one; returns the texts of those that have no id below `vocab_size`."""
    left_out = []
    for token in tokens:
        if tokenizer.token_to_id(token.content) is None and _next_id(tokenizer) >= vocab_size:
            left_out.append(token.content)
        else:
            tokenizer.add_special_tokens([_library_token(token)])
    return left_out


def _next_id(tokenizer: Tokenizer) -> int:
    """What the library gives to a new token."""
    added, size = tokenizer.get_added_tokens_decoder(), tokenizer.get_vocab_size(with_added_tokens=False)
    return max(max(added, default=-1) + 1, size)


def _flags(token: AddedToken | tokenizers.AddedToken) -> tuple:
    return token.content, *(getattr(token, name) for name in TOKEN_FLAGS)


def _library_token(token: AddedToken) -> tokenizers.AddedToken:
    return tokenizers.AddedToken(token.content, **{name: getattr(token, name) for name in TOKEN_FLAGS})
