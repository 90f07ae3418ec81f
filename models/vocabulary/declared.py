"""Added and special tokens as a Hugging Face folder declares them, wherever they stand.

The rules are those of transformers 5: `tokenizer_config.json` counts, and where it has no `added_tokens_decoder`,
`special_tokens_map.json` over it. `added_tokens.json` counts beside either, as older versions wrote and read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.json_file import read_optional
from models.vocabulary.tokenizer_json import TOKEN_FLAGS, AddedToken

__all__ = ["Declared", "read_declared"]

_ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_LISTS = ("extra_special_tokens", "additional_special_tokens")


@dataclass(frozen=True)
class Declared:
    """What a folder says of its tokens.

    config: `tokenizer_config.json`, empty where there is none. numbered: tokens with the ids that they were trained
    with, by id. named: special tokens of which only the text is known, those of a role first. roles: "bos", "eos", ...
    to texts.
    """

    config: Mapping[str, object]
    numbered: tuple[AddedToken, ...]
    named: tuple[AddedToken, ...]
    roles: Mapping[str, str]

    def asks(self, name: str) -> bool:
        """Is a switch of the configuration, `add_bos_token` for example, on?"""
        return self.config.get(name) is True

    def check_ids(self, vocab_size: int, where: object) -> None:
        """`ModelError` for a token beyond the model's ids: before anything of that size is made."""
        last = self.numbered[-1] if self.numbered else None
        if last is not None and last.id >= vocab_size:
            raise ModelError(f"{where}: added tokens: expected ids below the model's vocab_size of {vocab_size}, found "
                             f"{last.id} ({last.content!r})")

    def with_defaults(self, **roles: str) -> Declared:
        """The same with tokens for roles that it names none for."""
        return replace(self, roles=roles | dict(self.roles))


def read_declared(folder: Path, listed: Mapping[str, AddedToken] | None = None) -> Declared:
    """Read a folder's files. listed: tokens that its `tokenizer.json` adds, by text.

    `ModelError` for files that hold something else than tokens.
    """
    config = read_optional(folder / "tokenizer_config.json")
    names = dict(config)
    decoder = config.get("added_tokens_decoder")
    try:
        numbered = [_token(item, _index(int(index))) for index, item in (decoder or {}).items()]
        if not decoder:
            names |= read_optional(folder / "special_tokens_map.json")
        special = {_text(names.get(role)) for role in _ROLES} | {_text(item) for item in _listed(names)}
        told = {token.content for token in numbered}
        numbered += [AddedToken(_index(index), text, special=text in special, normalized=text not in special)
                     for text, index in read_optional(folder / "added_tokens.json").items() if text not in told]
        flags = {token.content: token for token in numbered} | ({} if decoder else dict(listed or {}))
        roles = {role: text for role in _ROLES if (text := _text(names.get(role)))}
        named = [flags.get(text) or _named(names[role]) for role, text in roles.items()]
        named += [_named(value) for name, value in names.items()
                  if name.endswith("_token") and name not in _ROLES and _text(value)]
        named += [_named(item) for item in _listed(names) if _text(item)]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ModelError(f"{folder}: added tokens: expected names with ids, found something else") from None
    return Declared(config, tuple(sorted(numbered, key=lambda token: token.id or 0)),
                    tuple(replace(token, special=True) for token in named),
                    {role.removesuffix("_token"): text for role, text in roles.items()})


def _listed(names: Mapping[str, Any]) -> list[object]:
    """Special tokens without a role."""
    for name in _LISTS:
        found = names.get(name)
        if found:
            return [*found.values()] if isinstance(found, Mapping) else [*found]
    return []


def _token(item: Mapping, index: int | None = None) -> AddedToken:
    """A token as these files write it, with its flags."""
    flags = {name: bool(item[name]) for name in TOKEN_FLAGS if name in item}
    return AddedToken(index, str(item["content"]), **{"normalized": not flags.get("special", False)} | flags)


def _named(item: str | Mapping) -> AddedToken:
    """A special token, given by its text or with flags."""
    return _token({**(item if isinstance(item, Mapping) else {"content": item}), "special": True})


def _text(item: object) -> str:
    """The text of a token, "" where there is none."""
    if isinstance(item, Mapping):
        item = item.get("content")
    return item if isinstance(item, str) else ""


def _index(index: object) -> int:
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        raise ValueError
    return index
