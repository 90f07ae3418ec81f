"""Tokenizer and chat template of a Hugging Face folder."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

from models.errors import ModelError, located
from models.json_file import read_bounded, read_object, read_text
from models.vocabulary.byte_level import byte_level_tokenizer
from models.vocabulary.chat_files import read_chat
from models.vocabulary.control_tokens import read_control_tokens
from models.vocabulary.declared import Declared, read_declared
from models.vocabulary.limits import LARGEST_FILE
from models.vocabulary.model_proto import read_model_proto
from models.vocabulary.parts import TextParts
from models.vocabulary.settled import settle
from models.vocabulary.splitting import SPLITTINGS
from models.vocabulary.tekken import read_tekken
from models.vocabulary.tokenizer_json import AddedToken, check_tokenizer

__all__ = ["read_folder"]


def read_folder(folder: Path, vocab_size: int) -> TextParts | None:
    """None where the folder has no tokenizer. `ModelError` for one that is damaged or does not fit the model.

    The first of `tokenizer.json`, `tokenizer.model` (SentencePiece), `tekken.json`, and `vocab.json` with
    `merges.txt`. With it go the tokens that other files add (`declared`), and what transformers puts around a prompt:
    what a `tokenizer.json` has as its post-processor, for the others what `add_bos_token` and `add_eos_token` ask for.
    """
    for name, read in _READERS.items():
        path = folder / name
        if path.exists():
            text, declared = read(path, vocab_size)  # checked
            settled = settle(text, declared, vocab_size, path, own_frame=name == _OWN)
            return TextParts(settled.text, read_chat(folder, declared), settled.around,
                             () if settled.end is None else (settled.end,), settled.notes,
                             read_control_tokens(folder, vocab_size))
    return None


def _own(path: Path, vocab_size: int) -> tuple[str, Declared]:
    text = read_text(path)
    check_tokenizer(text, vocab_size, path)
    listed = {item["content"]: AddedToken(**{field.name: item[field.name] for field in fields(AddedToken)})
              for item in json.loads(text).get("added_tokens") or []}
    for token in listed.values():  # one that the vocabulary lacks gets the next free id from the library, silently
        if token.id >= vocab_size:
            raise ModelError(f"{path}: added token {token.content!r}: expected an id below the model's vocab_size of "
                             f"{vocab_size}, found {token.id}")
    declared = read_declared(path.parent, listed)
    declared.check_ids(vocab_size, path)
    return text, declared


def _sentencepiece(path: Path, vocab_size: int) -> tuple[str, Declared]:
    pieces = read_model_proto(read_bounded(path, LARGEST_FILE), path)
    declared = _declared(path, vocab_size).with_defaults(bos="<s>", eos="</s>")
    kind = str(declared.config.get("tokenizer_class", "")).removesuffix("Fast")
    with located(path):  # transformers' own Llama class has the newer rule where nothing is said
        text = pieces.to_tokenizer([replace(token, normalized=False) for token in declared.numbered],
                                   prefix_once=not declared.config.get("legacy", kind != "LlamaTokenizer"))
    check_tokenizer(text, vocab_size, path)
    return text, declared


def _tekken(path: Path, vocab_size: int) -> tuple[str, Declared]:
    declared = _declared(path, vocab_size).with_defaults(bos="<s>", eos="</s>")
    text = read_tekken(path)
    check_tokenizer(text, vocab_size, path)
    return text, declared


def _vocabulary_and_merges(path: Path, vocab_size: int) -> tuple[str, Declared]:
    declared = _declared(path, vocab_size)
    kind = str(declared.config.get("tokenizer_class", "GPT2Tokenizer")).removesuffix("Fast")
    if kind not in _SPLITTINGS:
        raise ModelError(f"{path}: expected a tokenizer of class {' or '.join(_SPLITTINGS)}, found {kind}: save it "
                         "as tokenizer.json")
    vocabulary = read_object(path) | {token.content: token.id for token in declared.numbered}
    lines = read_text(path.parent / "merges.txt").split("\n")
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    text = byte_level_tokenizer(vocabulary, merges, SPLITTINGS[_SPLITTINGS[kind]], declared.numbered)
    check_tokenizer(text, vocab_size, path)
    roles = {"eos": "<|endoftext|>"} | ({"bos": "<|endoftext|>"} if kind == "GPT2Tokenizer" else {})
    return text, declared.with_defaults(**roles)


def _declared(path: Path, vocab_size: int) -> Declared:
    declared = read_declared(path.parent)
    declared.check_ids(vocab_size, path)
    return declared


_OWN = "tokenizer.json"
_SPLITTINGS = {"GPT2Tokenizer": "gpt-2", "Qwen2Tokenizer": "qwen2"}
_READERS = {_OWN: _own, "tokenizer.model": _sentencepiece, "tekken.json": _tekken, "vocab.json": _vocabulary_and_merges}
