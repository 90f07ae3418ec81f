"""A SentencePiece `.model` file, read without the sentencepiece package, which does not give its flags.

The file is a protobuf message (google/sentencepiece, `sentencepiece_model.proto`). Field numbers used here:

    ModelProto       1 pieces (repeated), 2 trainer_spec, 3 normalizer_spec
    SentencePiece    1 piece, 2 score (float), 3 type
    TrainerSpec      3 model_type, 24 treat_whitespace_as_suffix, 35 byte_fallback
    NormalizerSpec   2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces, 5 escape_whitespaces
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from models.errors import ModelError
from models.vocabulary.pieces import NORMAL, Pieces

__all__ = ["read_model_proto"]

_MODEL_TYPES = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}


def read_model_proto(data: bytes, where: object) -> Pieces:
    """The vocabulary of a `.model` file. `ModelError` for a damaged file or a kind that no language model uses."""
    try:
        return _read(data, where)
    except (IndexError, KeyError, struct.error, UnicodeDecodeError, ValueError):
        raise ModelError(f"{where}: expected a SentencePiece model, found damaged or other data") from None


def _read(data: bytes, where: object) -> Pieces:
    texts, scores, types = [], [], []
    trainer: dict[int, bytes | int] = {}
    normalizer: dict[int, bytes | int] = {}
    for number, value in _fields(data):
        if number == 1:
            piece = dict(_fields(value))
            texts.append(piece[1].decode("utf-8"))
            scores.append(struct.unpack("<f", piece.get(2, bytes(4)))[0])
            types.append(piece.get(3, NORMAL))
        elif number == 2:
            trainer = dict(_fields(value))
        elif number == 3:
            normalizer = dict(_fields(value))
    if not texts:
        raise ValueError
    kind = _MODEL_TYPES[trainer.get(3, 1)]
    if kind not in ("unigram", "bpe"):
        raise ModelError(f"{where}: expected a SentencePiece model of type unigram or bpe, found {kind}")
    if trainer.get(24, 0) or not normalizer.get(5, 1):
        raise ModelError(f"{where}: SentencePiece models that put spaces at a word's end, or keep them, "
                         "are not supported")
    return Pieces(texts, scores, types, unigram=kind == "unigram", byte_fallback=bool(trainer.get(35, 0)),
                  prefix=bool(normalizer.get(3, 1)), collapse=bool(normalizer.get(4, 1)),
                  charsmap=normalizer.get(2, b""))


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """(field number, value) of a protobuf message: bytes, or an integer where the wire holds a varint."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        kind = tag & 7
        if kind == 0:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            if kind != 2:
                raise ValueError
            size, position = _varint(data, position)
        if position + size > len(data):
            raise ValueError
        yield tag >> 3, data[position:position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
