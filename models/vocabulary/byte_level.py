"""Byte-level BPE vocabularies as a `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.errors import ModelError
from models.vocabulary.limits import check_id, check_tokens
from models.vocabulary.splitting import Splitting
from models.vocabulary.tokenizer_json import AddedToken, assemble

__all__ = ["BYTE_CHARACTERS", "byte_level_tokenizer"]

_PRINTABLE = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]

BYTE_CHARACTERS = {byte: chr(byte) for byte in _PRINTABLE} | {b: chr(256 + i) for i, b in enumerate(_OTHERS)}
"""The character that stands for each byte in such a vocabulary (GPT-2's table)."""


def byte_level_tokenizer(vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], splitting: Splitting,
                         added: Sequence[AddedToken]) -> str:
    """The contents of a `tokenizer.json`. vocabulary: {token in byte characters: id}, added tokens as they read.

    `ModelError` for a vocabulary that is too large, ids that are none or not different, merges of unknown tokens.
    """
    check_tokens(vocabulary)
    owners: dict[int, str] = {}
    for token, index in vocabulary.items():
        check_id(index, f"vocabulary: {token!r}")
        if owners.setdefault(index, token) != token:
            raise ModelError(f"vocabulary: {owners[index]!r} and {token!r} both have id {index}")
    for pair in merges:
        if len(pair) != 2 or not all(token in vocabulary for token in (*pair, "".join(pair))):
            raise ModelError(f"merges: expected two tokens that make a third, found {' '.join(pair)!r}")
    return assemble(
        {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
         "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
         "ignore_merges": splitting.ignore_merges, "vocab": dict(vocabulary), "merges": list(merges)},
        normalizer=[{"type": "NFC"}] if splitting.compose else [], pre_tokenizer=splitting.steps,
        decoder=[{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}],
        added=added)
