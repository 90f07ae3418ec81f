"""The byte-level BPE tokenizer: made from the training text alone, it gives back any text exactly."""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from models.errors import ModelError

__all__ = ["END_OF_TEXT", "load_tokenizer", "train_tokenizer"]

END_OF_TEXT = "<|endoftext|>"
"""The only special token, id 0; it stands between documents."""


def train_tokenizer(documents: Iterable[str], vocab: int) -> Tokenizer:
    """A tokenizer of exactly `vocab` tokens: end of text, the 256 bytes, then merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    if tokenizer.get_vocab_size() != vocab:
        raise ModelError(f"the text yields {tokenizer.get_vocab_size()} tokens, not {vocab}: give more text")
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """Reads a `tokenizer.json` made by `train_tokenizer`."""
    if not path.is_file():
        raise ModelError(f"{path}: no such tokenizer")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise ModelError(f"{path}: not a tokenizer: {error}") from None
