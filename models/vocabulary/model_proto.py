"""A SentencePiece `.model` file, read without the sentencepiece package, which does not give its flags.

The file is a protobuf message (google/sentencepiece, `sentencepiece_model.proto`). Field numbers used here:

    ModelProto       1 pieces (repeated), 2 trainer_spec, 3 normalizer_spec
    SentencePiece    1 piece, 2 score (float), 3 type
    TrainerSpec      3 model_type, 24 treat_whitespace_as_suffix, 35 byte_fallback
    NormalizerSpec   2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces, 5 escape_whitespaces
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from models.errors import ModelError, located
from models.vocabulary.limits import MOST_TOKENS
from models.vocabulary.pieces import NORMAL, Pieces

__all__ = ["read_model_proto"]

_MODEL_TYPES = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_PIECE = {1: ("text", _BYTES), 2: ("score", _FIXED32), 3: ("type", _VARINT)}
_TRAINER = {3: ("model_type", _VARINT), 24: ("treat_whitespace_as_suffix", _VARINT), 35: ("byte_fallback", _VARINT)}
_NORMALIZER = {2: ("precompiled_charsmap", _BYTES), 3: ("add_dummy_prefix", _VARINT),
               4: ("remove_extra_whitespaces", _VARINT), 5: ("escape_whitespaces", _VARINT)}
_KINDS = {_VARINT: "a number", _FIXED64: "8 bytes", _BYTES: "a string", _FIXED32: "4 bytes"}


def read_model_proto(data: bytes, where: object) -> Pieces:
    """The vocabulary of a `.model` file. `ModelError` for a damaged file or a kind that no language model uses."""
    try:
        with located(where):
            return _read(data)
    except (IndexError, KeyError, struct.error, UnicodeDecodeError, ValueError):
        raise ModelError(f"{where}: expected a SentencePiece model, found damaged or other data") from None


def _read(data: bytes) -> Pieces:
    texts, scores, types = [], [], []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    for number, kind, value in _fields(data):
        if number == 1:
            piece = _message(kind, value, f"piece {len(texts)}", _PIECE)
            texts.append(piece[1].decode("utf-8"))
            scores.append(struct.unpack("<f", piece.get(2, bytes(4)))[0])
            types.append(piece.get(3, NORMAL))
            if len(texts) > MOST_TOKENS:
                raise ModelError(f"vocabulary: expected at most {MOST_TOKENS:,} pieces, found more")
        elif number == 2:
            trainer = _message(kind, value, "trainer_spec", _TRAINER)
        elif number == 3:
            normalizer = _message(kind, value, "normalizer_spec", _NORMALIZER)
    if not texts:
        raise ValueError
    model_type = _MODEL_TYPES[trainer.get(3, 1)]
    if model_type not in ("unigram", "bpe"):
        raise ModelError(f"expected a SentencePiece model of type unigram or bpe, found {model_type}")
    if trainer.get(24, 0) or not normalizer.get(5, 1):
        raise ModelError("SentencePiece models that put spaces at a word's end, or keep them, are not supported")
    return Pieces(texts, scores, types, unigram=model_type == "unigram", byte_fallback=bool(trainer.get(35, 0)),
                  prefix=bool(normalizer.get(3, 1)), collapse=bool(normalizer.get(4, 1)),
                  charsmap=normalizer.get(2, b""))


def _message(kind: int, data: Any, what: str, known: Mapping[int, tuple[str, int]]) -> dict[int, Any]:
    """Values of the `known` fields of a message inside: {number: (name, wire type)}. `ModelError` for another type."""
    if kind != _BYTES:
        raise ModelError(f"{what}: expected a message, found {_KINDS[kind]}")
    found = {}
    for number, wire, value in _fields(data):
        if number in known:
            name, expected = known[number]
            if wire != expected:
                raise ModelError(f"{what}: {name}: expected {_KINDS[expected]}, found {_KINDS[wire]}")
            found[number] = value
    return found


def _fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """(field number, wire type, value) of a protobuf message: bytes, or an integer where the wire holds a varint."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        kind = tag & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield tag >> 3, kind, value
            continue
        size = {_FIXED64: 8, _FIXED32: 4}.get(kind)
        if size is None:
            if kind != _BYTES:
                raise ValueError
            size, position = _varint(data, position)
        if position + size > len(data):
            raise ValueError
        yield tag >> 3, kind, data[position:position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):  # 64 bits
        byte = data[position]
        value |= (byte & 127) << shift
        position += 1
        if byte < 128:
            return value, position
    raise ValueError
