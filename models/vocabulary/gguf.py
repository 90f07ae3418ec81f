"""Tokenizer and chat template out of a GGUF file's metadata (keys as llama.cpp reads them)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.errors import ModelError, located
from models.vocabulary.byte_level import byte_level_tokenizer
from models.vocabulary.parts import ChatFormat, TextParts
from models.vocabulary.pieces import BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED, Pieces
from models.vocabulary.splitting import DEFAULT, SPLITTINGS, Splitting
from models.vocabulary.tokenizer_json import AddedToken, check_tokenizer

__all__ = ["read_gguf"]

_PREFIX = "tokenizer.ggml."
_LLAMA3_SIZE, _LLAMA3_START = 128000, "<|begin_of_text|>"


def read_gguf(fields: Mapping[str, object], vocab_size: int, where: str) -> TextParts | None:
    """fields: the `tokenizer.*` metadata as plain values; where: the file, for errors. None without a tokenizer.

    `ModelError` for a tokenizer of an unknown kind, a damaged one, or one with ids beyond `vocab_size`.
    """
    kind = fields.get(f"{_PREFIX}model")
    if kind is None or kind == "no_vocab":
        return None
    if kind not in _KINDS:
        raise ModelError(f"{where}: {_PREFIX}model: expected one of {', '.join(_KINDS)}, found {kind!r}")
    with located(where):
        vocabulary = _Vocabulary(fields)
        tokenizer = _KINDS[kind](vocabulary)
        check_tokenizer(tokenizer, vocab_size, f"{_PREFIX}tokens")
        return TextParts(tokenizer, vocabulary.chat())


class _Vocabulary:
    """The arrays that every kind has, checked."""

    def __init__(self, fields: Mapping[str, object]):
        self._fields = fields
        self.texts = [text or f"[EMPTY_{index}]" for index, text in enumerate(self.strings("tokens"))]
        if not self.texts:
            raise ModelError(f"{_PREFIX}tokens: expected the vocabulary, found an empty list")
        self.types = self.numbers("token_type") or [NORMAL] * len(self.texts)
        for name in ("bos", "eos", "eot"):
            index = self.token(name)
            if index is not None and self.types[index] == NORMAL:
                self.types[index] = CONTROL

    def flag(self, name: str, default: bool) -> bool:
        return bool(self._fields.get(_PREFIX + name, default))

    def text(self, name: str) -> str | None:
        value = self._fields.get(_PREFIX + name)
        if value is not None and not isinstance(value, str):
            raise ModelError(f"{_PREFIX}{name}: expected a string, found {value!r}")
        return value

    def strings(self, name: str) -> list[str]:
        value = self._fields.get(_PREFIX + name)
        if not isinstance(value, Sequence) or not all(isinstance(text, str) for text in value):
            raise ModelError(f"{_PREFIX}{name}: expected a list of strings, found "
                             f"{'nothing' if value is None else type(value).__name__}")
        return list(value)

    def numbers(self, name: str) -> list:
        """One number a token; empty where the file has none."""
        value = self._fields.get(_PREFIX + name)
        if value is not None and len(value) < len(self.texts):
            raise ModelError(f"{_PREFIX}{name}: expected {len(self.texts)} entries, found {len(value)}")
        return [] if value is None else list(value)[:len(self.texts)]

    def token(self, name: str) -> int | None:
        """Id of a named token; None where there is none."""
        index = self._fields.get(f"{_PREFIX}{name}_token_id")
        return int(index) if index is not None and 0 <= index < len(self.texts) else None

    def added(self) -> list[AddedToken]:
        return [AddedToken(index, self.texts[index], special=kind != USER_DEFINED)
                for index, kind in enumerate(self.types) if kind in (UNKNOWN, CONTROL, USER_DEFINED)]

    def bytes(self, name: str) -> bytes:
        value = self._fields.get(_PREFIX + name)
        return b"" if value is None else bytes(int(item) & 255 for item in value)

    def chat(self) -> ChatFormat | None:
        template = self._fields.get("tokenizer.chat_template")
        if not isinstance(template, str) or not template.strip():
            return None
        bos, eos = ("" if index is None else self.texts[index] for index in map(self.token, ("bos", "eos")))
        return ChatFormat(template, bos, eos)


def _gpt2(vocabulary: _Vocabulary) -> str:
    ids = {text: index for index, text in enumerate(vocabulary.texts)}
    if len(ids) != len(vocabulary.texts):
        second = next(index for index, text in enumerate(vocabulary.texts) if ids[text] != index)
        raise ModelError(f"{_PREFIX}tokens: {vocabulary.texts[second]!r} is there twice")
    merges = []
    for line in vocabulary.strings("merges"):
        first, _, second = line.partition(" ")
        if not (first in ids and second in ids and first + second in ids):
            raise ModelError(f"{_PREFIX}merges: expected two tokens that make a third, found {line!r}")
        merges.append((first, second))
    return byte_level_tokenizer(ids, merges, _splitting(vocabulary), vocabulary.added())


def _splitting(vocabulary: _Vocabulary) -> Splitting:
    """By name. The first GGUF files of Llama 3's vocabulary, BitNet 2B-4T's official one too, name none."""
    name = vocabulary.text("pre")
    if name in (None, "", "default"):
        llama3 = len(vocabulary.texts) >= _LLAMA3_SIZE and _LLAMA3_START in vocabulary.texts
        return SPLITTINGS["llama-bpe"] if llama3 else DEFAULT
    if name not in SPLITTINGS:
        raise ModelError(f"{_PREFIX}pre: unknown pre-tokenizer {name!r}; known: default, {', '.join(SPLITTINGS)}")
    return SPLITTINGS[name]


def _sentencepiece(vocabulary: _Vocabulary, *, unigram: bool) -> str:
    scores = vocabulary.numbers("scores")
    if not scores:
        raise ModelError(f"{_PREFIX}scores: expected {len(vocabulary.texts)} entries, found nothing")
    return Pieces(vocabulary.texts, scores, vocabulary.types, unigram=unigram, byte_fallback=BYTE in vocabulary.types,
                  prefix=vocabulary.flag("add_space_prefix", True),
                  collapse=unigram and vocabulary.flag("remove_extra_whitespaces", False),
                  charsmap=vocabulary.bytes("precompiled_charsmap")).to_tokenizer()


def _llama(vocabulary: _Vocabulary) -> str:
    return _sentencepiece(vocabulary, unigram=False)


def _t5(vocabulary: _Vocabulary) -> str:
    return _sentencepiece(vocabulary, unigram=True)


_KINDS = {"gpt2": _gpt2, "llama": _llama, "t5": _t5}
