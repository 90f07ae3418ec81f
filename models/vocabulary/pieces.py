"""SentencePiece vocabularies, BPE and unigram, as a `tokenizer.json`.

Control and unused pieces never come out of a text's characters; user-defined ones are cut out of a text first.
Equal to SentencePiece for BPE without character replacements. Where there are some, decomposed letters may come out
otherwise, and unigram may choose another of several equally good ways to cut a text.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass

from models.errors import ModelError
from models.vocabulary.limits import check_id, check_tokens
from models.vocabulary.merges import merges_of_ranked
from models.vocabulary.tokenizer_json import AddedToken, assemble

__all__ = ["BYTE", "CONTROL", "NORMAL", "UNKNOWN", "UNUSED", "USER_DEFINED", "Pieces"]

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Types of a piece, in `.model` and in GGUF files."""

_SPACE = "▁"
_OUT_OF_REACH = -1000.0  # a unigram score that no segmentation prefers
_PREFIX_ONCE = {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "first", "split": False}


@dataclass(frozen=True)
class Pieces:
    """texts, scores, types: one entry an id.

    byte_fallback: characters without a piece become byte pieces; prefix: a space goes before a text; collapse: runs
    of spaces become one and those at the ends go; charsmap: SentencePiece's compiled character replacements.
    """

    texts: Sequence[str]
    scores: Sequence[float]
    types: Sequence[int]
    unigram: bool
    byte_fallback: bool
    prefix: bool
    collapse: bool
    charsmap: bytes = b""

    def to_tokenizer(self, added: Sequence[AddedToken] = (), *, prefix_once: bool = False) -> str:
        """The contents of a `tokenizer.json`; ids stay.

        added: tokens beside the vocabulary, or in place of what it says of the same id. Control, unknown and
        user-defined pieces are added tokens as well. prefix_once: the space goes before the whole text only, not
        before each stretch between added tokens. `ModelError` for a vocabulary that is too large or makes no sense.
        """
        self._check()
        named = {index: AddedToken(index, text if kind != USER_DEFINED else text.replace(_SPACE, " "),
                                   special=kind != USER_DEFINED)
                 for index, (text, kind) in enumerate(zip(self.texts, self.types, strict=True))
                 if kind in (UNKNOWN, CONTROL, USER_DEFINED)} | {token.id: token for token in added}
        texts = self._texts(named)
        return assemble(
            self._unigram(texts) if self.unigram else self._bpe(texts),
            normalizer=self._normalizer(prefix_once),
            pre_tokenizer=[_PREFIX_ONCE] if self.prefix and prefix_once else [],
            decoder=[{"type": "Replace", "pattern": {"String": _SPACE}, "content": " "}, {"type": "ByteFallback"},
                     {"type": "Fuse"}] + [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] * self.prefix,
            added=list(named.values()))

    def _check(self) -> None:
        check_tokens(self.texts)
        for index, (score, kind) in enumerate(zip(self.scores, self.types, strict=True)):
            if kind == NORMAL and not (isinstance(score, int | float) and math.isfinite(score)):
                found = score if isinstance(score, float) else type(score).__name__
                raise ModelError(f"piece {index} ({self.texts[index]!r}): expected a finite score, found {found}")
        size = int.from_bytes(self.charsmap[:4], "little")  # of the tree; the replacements follow
        if self.charsmap and (len(self.charsmap) < 4 + size or size % 4):
            raise ModelError(f"precompiled_charsmap: expected a tree of {size:,} bytes and replacements, found "
                             f"{len(self.charsmap) - 4:,} bytes")

    def _texts(self, named: dict[int, AddedToken]) -> list[str]:
        """Text of every id, those of added tokens included; `ModelError` where two ids have the same."""
        texts = [*self.texts]
        for index in named:
            check_id(index, f"added token {named[index].content!r}")
        for index in sorted(named):
            texts += [f"<unused {i}>" for i in range(len(texts), index + 1)]
            texts[index] = named[index].content
        if len(set(texts)) != len(texts):
            seen: dict[str, int] = {}
            first, second = next((seen[t], i) for i, t in enumerate(texts) if seen.setdefault(t, i) != i)
            raise ModelError(f"vocabulary: ids {first} and {second} are both {texts[second]!r}")
        return texts

    def _unknown(self) -> int | None:
        return next((index for index, kind in enumerate(self.types) if kind == UNKNOWN), None)

    def _bpe(self, texts: list[str]) -> dict[str, object]:
        unknown = self._unknown()
        return {"type": "BPE", "dropout": None, "unk_token": None if unknown is None else texts[unknown],
                "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                "byte_fallback": self.byte_fallback, "ignore_merges": False,
                "vocab": {text: index for index, text in enumerate(texts)}, "merges": self._merges()}

    def _merges(self) -> list[tuple[str, str]]:
        ids = {text: index for index, (text, kind) in enumerate(zip(self.texts, self.types, strict=True))
               if kind == NORMAL}
        ranked = sorted(((text, index) for text, index in ids.items() if len(text) > 1),
                        key=lambda item: -self.scores[item[1]])
        return merges_of_ranked([text for text, _ in ranked], ids)

    def _unigram(self, texts: list[str]) -> dict[str, object]:
        scores = [score if kind == NORMAL else _OUT_OF_REACH
                  for score, kind in zip(self.scores, self.types, strict=True)]
        scores += [_OUT_OF_REACH] * (len(texts) - len(scores))
        return {"type": "Unigram", "unk_id": self._unknown(), "vocab": list(zip(texts, scores, strict=True)),
                "byte_fallback": self.byte_fallback}

    def _normalizer(self, prefix_once: bool) -> list[dict[str, object]]:
        steps: list[dict[str, object]] = []
        if self.charsmap:
            steps.append({"type": "Precompiled", "precompiled_charsmap": base64.b64encode(self.charsmap).decode()})
        if self.collapse:
            steps += [_replace({"Regex": r"\A +| +\z"}, ""), _replace({"Regex": " +"}, " ")]
        if self.prefix and not prefix_once:
            steps.append({"type": "Prepend", "prepend": _SPACE})
        return [*steps, _replace({"String": " "}, _SPACE)]


def _replace(pattern: dict[str, str], content: str) -> dict[str, object]:
    return {"type": "Replace", "pattern": pattern, "content": content}
