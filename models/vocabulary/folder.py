"""Tokenizer and chat template of a Hugging Face folder."""

from __future__ import annotations

from pathlib import Path

from models.errors import ModelError, located
from models.json_file import read_object, read_optional, read_text
from models.vocabulary.byte_level import byte_level_tokenizer
from models.vocabulary.chat_files import read_chat
from models.vocabulary.model_proto import read_model_proto
from models.vocabulary.parts import TextParts
from models.vocabulary.splitting import SPLITTINGS
from models.vocabulary.tekken import read_tekken
from models.vocabulary.tokenizer_json import AddedToken, check_tokenizer

__all__ = ["read_folder"]


def read_folder(folder: Path, vocab_size: int) -> TextParts | None:
    """None where the folder has no tokenizer. `ModelError` for one that is damaged or does not fit the model.

    The first of `tokenizer.json`, taken as it is, `tokenizer.model` (SentencePiece), `tekken.json`, and `vocab.json`
    with `merges.txt`.
    """
    for name, read in _READERS.items():
        path = folder / name
        if path.exists():
            tokenizer = read(path)
            check_tokenizer(tokenizer, vocab_size, path)
            return TextParts(tokenizer, read_chat(folder))
    return None


def _sentencepiece(path: Path) -> str:
    pieces = read_model_proto(path.read_bytes(), path)
    config = read_optional(path.parent / "tokenizer_config.json")
    with located(path):
        return pieces.to_tokenizer(_added(path.parent, config), prefix_once=config.get("legacy") is False)


def _vocabulary_and_merges(path: Path) -> str:
    config = read_optional(path.parent / "tokenizer_config.json")
    kind = str(config.get("tokenizer_class", "GPT2Tokenizer")).removesuffix("Fast")
    if kind not in _SPLITTINGS:
        raise ModelError(f"{path}: expected a tokenizer of class {' or '.join(_SPLITTINGS)}, found {kind}: save it "
                         "as tokenizer.json")
    added = _added(path.parent, config)
    vocabulary = read_object(path) | {token.content: token.id for token in added}
    lines = read_text(path.parent / "merges.txt").splitlines()
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    return byte_level_tokenizer(vocabulary, merges, SPLITTINGS[_SPLITTINGS[kind]], added)


def _added(folder: Path, config: dict) -> list[AddedToken]:
    """Tokens beside the vocabulary, from `added_tokens.json` and `tokenizer_config.json`."""
    try:
        added = {int(index): AddedToken(int(index), str(text))
                 for text, index in read_optional(folder / "added_tokens.json").items()}
        for index, item in (config.get("added_tokens_decoder") or {}).items():
            flags = {name: bool(item[name]) for name in ("special", "lstrip", "rstrip", "single_word") if name in item}
            added[int(index)] = AddedToken(int(index), str(item["content"]), **flags)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ModelError(f"{folder}: added tokens: expected names with ids, found something else") from None
    return list(added.values())


_SPLITTINGS = {"GPT2Tokenizer": "gpt-2", "Qwen2Tokenizer": "qwen2"}
_READERS = {"tokenizer.json": read_text, "tokenizer.model": _sentencepiece, "tekken.json": read_tekken,
            "vocab.json": _vocabulary_and_merges}
