"""Tokenizer and chat template out of a GGUF file's metadata (keys as llama.cpp reads them)."""

from __future__ import annotations

from collections.abc import Mapping

from models.errors import ModelError, located
from models.vocabulary.byte_level import byte_level_tokenizer
from models.vocabulary.gguf_ends import end_tokens, known_by_text
from models.vocabulary.gguf_fields import PREFIX, VocabularyFields
from models.vocabulary.parts import Around, ChatFormat, TextParts
from models.vocabulary.pieces import BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED, Pieces
from models.vocabulary.splitting import DEFAULT, REFUSED, SPLITTINGS, Splitting
from models.vocabulary.tokenizer_json import AddedToken, check_tokenizer

__all__ = ["read_gguf"]

_LLAMA3_SIZE, _LLAMA3_START = 128000, "<|begin_of_text|>"
_PHI3, _PHI3_PLAIN = ("phi-3", "phi3"), ("<unk>", "<s>", "<|endoftext|>")
_ROLES = ("bos", "eos", "eot", "eom", "fim_pad", "fim_rep", "fim_sep")


def read_gguf(fields: Mapping[str, object], vocab_size: int, where: str, *, name: str = "") -> TextParts | None:
    """fields: the `tokenizer.*` metadata as plain values; where: the file, for errors; name: the model's, by which
    llama.cpp knows Phi 3. None without a tokenizer.

    What goes around a prompt and what ends one is llama.cpp's rule: the keys, else the kind and the pre-tokenizer's
    name, else the texts of the tokens. `ModelError` for a tokenizer of an unknown kind, a damaged one, or one with ids
    beyond `vocab_size`.
    """
    with located(where):
        given = VocabularyFields(fields)
        kind = given.text("model")
        if kind in (None, "no_vocab", "none"):
            return None
        if kind not in _KINDS:
            raise ModelError(f"{PREFIX}model: expected one of {', '.join(_KINDS)}, found {kind!r}")
        vocabulary = _Vocabulary(given, kind, vocab_size, name)
        tokenizer = _KINDS[kind](vocabulary)
        check_tokenizer(tokenizer, vocab_size, f"{PREFIX}tokens")
        around = vocabulary.around()
        return TextParts(tokenizer, vocabulary.chat(framed=around != Around()), around,
                         end_tokens(vocabulary.ids, vocabulary.named))


class _Vocabulary:
    """Texts and types of the tokens, as llama.cpp takes them, and the named ones among them."""

    def __init__(self, fields: VocabularyFields, kind: str, vocab_size: int, name: str):
        self.fields, self.kind = fields, kind
        self._phi3 = any(text in name.lower() for text in _PHI3)
        self.texts = [text or f"[EMPTY_{index}]" for index, text in enumerate(fields.strings("tokens"))]
        if not self.texts:
            raise ModelError(f"{PREFIX}tokens: expected the vocabulary, found an empty list")
        if len(self.texts) > vocab_size:
            raise ModelError(f"{PREFIX}tokens: vocabulary: expected ids below the model's vocab_size of {vocab_size}, "
                             f"found {len(self.texts) - 1} ({self.texts[-1]!r})")
        self.ids = {text: index for index, text in enumerate(self.texts)}
        self.types = fields.integers("token_type", len(self.texts)) or [NORMAL] * len(self.texts)
        self.named = {role: fields.token(role, len(self.texts)) for role in _ROLES}
        control, shown = known_by_text(self.ids)
        for index in control | {index for index in self.named.values() if index is not None}:
            if self.types[index] == NORMAL:
                self.types[index] = CONTROL
        for index in shown:
            self.types[index] = USER_DEFINED

    def added(self) -> list[AddedToken]:
        """Spaces after a name belong to it in Phi 3, but for the names of other models in its vocabulary."""
        return [AddedToken(index, self.texts[index], special=kind != USER_DEFINED,
                           rstrip=self._phi3 and self.texts[index] not in _PHI3_PLAIN)
                for index, kind in enumerate(self.types) if kind in (UNKNOWN, CONTROL, USER_DEFINED)]

    def around(self) -> Around:
        """What goes around a prompt: no start token unless the file names one, but for Llama's own kind."""
        before = self.fields.flag("add_bos_token", self.kind == "llama" or self.splitting().start)
        after = self.fields.flag("add_eos_token", self.kind == "t5")
        start, end = self.named["bos"], self.named["eos"]
        if start is None and self.kind == "llama" and self.types[1:2] == [CONTROL]:
            start = 1  # <s>
        return Around(*(() if index is None or not wanted else (index,)
                        for wanted, index in ((before, start), (after, end))))

    def splitting(self) -> Splitting:
        """By name. The first GGUF files of Llama 3's vocabulary, BitNet 2B-4T's official one too, name none."""
        name = self.fields.text("pre")
        if self.kind != "gpt2":
            return DEFAULT
        if name in (None, "", "default"):
            llama3 = len(self.texts) >= _LLAMA3_SIZE and _LLAMA3_START in self.ids
            return SPLITTINGS["llama-bpe"] if llama3 else DEFAULT
        if name in REFUSED:
            raise ModelError(f"{PREFIX}pre: pre-tokenizer {name!r} is not supported: {REFUSED[name]}")
        if name not in SPLITTINGS:
            raise ModelError(f"{PREFIX}pre: unknown pre-tokenizer {name!r}; known: default, {', '.join(SPLITTINGS)}")
        return SPLITTINGS[name]

    def chat(self, *, framed: bool) -> ChatFormat | None:
        template = self.fields.template()
        if template is None:
            return None
        bos, eos = ("" if index is None else self.texts[index] for index in (self.named["bos"], self.named["eos"]))
        return ChatFormat(template, bos, eos, framed)


def _gpt2(vocabulary: _Vocabulary) -> str:
    ids = vocabulary.ids
    if len(ids) != len(vocabulary.texts):
        again = next(index for index, text in enumerate(vocabulary.texts) if ids[text] != index)
        raise ModelError(f"{PREFIX}tokens: {vocabulary.texts[again]!r} is there twice")
    merges = []
    for line in vocabulary.fields.strings("merges"):
        first, _, second = line.partition(" ")
        if not (first in ids and second in ids and first + second in ids):
            raise ModelError(f"{PREFIX}merges: expected two tokens that make a third, found {line!r}")
        merges.append((first, second))
    return byte_level_tokenizer(ids, merges, vocabulary.splitting(), vocabulary.added())


def _sentencepiece(vocabulary: _Vocabulary, *, unigram: bool) -> str:
    fields = vocabulary.fields
    scores = fields.numbers("scores", len(vocabulary.texts))
    if not scores:
        raise ModelError(f"{PREFIX}scores: expected {len(vocabulary.texts)} entries, found nothing")
    return Pieces(vocabulary.texts, scores, vocabulary.types, unigram=unigram, byte_fallback=BYTE in vocabulary.types,
                  prefix=fields.flag("add_space_prefix", True),
                  collapse=unigram and fields.flag("remove_extra_whitespaces", False),
                  charsmap=fields.bytes("precompiled_charsmap")).to_tokenizer(
                      [token for token in vocabulary.added() if token.rstrip])


def _llama(vocabulary: _Vocabulary) -> str:
    return _sentencepiece(vocabulary, unigram=False)


def _t5(vocabulary: _Vocabulary) -> str:
    return _sentencepiece(vocabulary, unigram=True)


_KINDS = {"gpt2": _gpt2, "llama": _llama, "t5": _t5}
