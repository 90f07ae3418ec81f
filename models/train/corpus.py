"""Text files to training documents and held-out documents, and random windows of tokens.

A file with headings such as `Romans 1` or `1 Samuel 3` is a collection: its books become documents of their
own, and books named as held out never reach the training side. Any other file is one document.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from models.errors import ModelError
from models.text_file import read_text_file

__all__ = ["SEED_STRIDE", "Corpus", "Sampler", "encode", "read_corpus", "split_books"]

CHAPTER = re.compile(r"^((?:[1-3] )?[^\W\d_]+(?: [^\W\d_]+)*) \d+\n\n", re.MULTILINE)
LEAST_CHAPTERS = 100
"""Files with fewer headings are single documents: novels number their chapters too."""
SEED_STRIDE = 1_000_003
"""Keeps the steps' generators of neighbouring seeds apart."""


@dataclass
class Corpus:
    """`training` holds one list of documents a source file; `held_out` maps a name to its text."""

    training: dict[str, list[str]] = field(default_factory=dict)
    held_out: dict[str, str] = field(default_factory=dict)


def split_books(text: str) -> dict[str, str]:
    """Books of a collection by name, in order, headings included; empty when the text is no collection."""
    headings = list(CHAPTER.finditer(text))
    if len(headings) < LEAST_CHAPTERS:
        return {}
    ends = [m.start() for m in headings[1:]] + [len(text)]
    books: dict[str, str] = {}
    for heading, end in zip(headings, ends, strict=True):
        books[heading[1]] = books.get(heading[1], "") + text[heading.start() : end]
    return books


def read_corpus(texts: Sequence[Path], hold_out: Sequence[Path], hold_out_books: Iterable[str]) -> Corpus:
    """Reads the training files and takes the held-out files and books away.

    Raises `ModelError` when a held-out book is in no file, or a file is both held out and trained on; `OptionError`
    for a file that cannot be read.
    """
    corpus, missing = Corpus(), set(hold_out_books)
    for path in hold_out:
        corpus.held_out[path.stem] = read_text_file(path)
    for path in texts:
        if path.stem in corpus.held_out:
            raise ModelError(f"{path} is both trained on and held out")
        text = read_text_file(path)
        books = split_books(text)
        for name in missing & books.keys():
            corpus.held_out[name] = books.pop(name)
        missing -= corpus.held_out.keys()
        corpus.training[path.stem] = list(books.values()) or [text]
    if missing:
        raise ModelError(f"no book named {', '.join(sorted(missing))} in {', '.join(map(str, texts))}")
    return corpus


def encode(tokenizer: Tokenizer, documents: Sequence[str]) -> Tensor:
    """One stream of ids (int64), an end-of-text token (id 0) before every document and after the last."""
    ids = [0]
    for document in documents:
        ids += tokenizer.encode(document).ids + [0]
    return torch.tensor(ids)


class Sampler:
    """Windows at random offsets from weighted streams; the batch of a step depends on seed and step alone."""

    def __init__(self, streams: Sequence[Tensor], weights: Sequence[float], batch: int, context: int, seed: int):
        if any(len(s) <= context + 1 for s in streams):
            raise ModelError(f"a stream is shorter than the context of {context} tokens")
        self.streams, self.weights = streams, torch.tensor(weights)
        self.batch, self.context, self.seed = batch, context, seed

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a step, each (batch, context)."""
        rng = torch.Generator().manual_seed(self.seed * SEED_STRIDE + step)
        rows = []
        for which in torch.multinomial(self.weights, self.batch, replacement=True, generator=rng).tolist():
            stream = self.streams[which]
            start = int(torch.randint(len(stream) - self.context, (1,), generator=rng))
            rows.append(stream[start : start + self.context + 1])
        windows = torch.stack(rows)
        return windows[:, :-1].contiguous(), windows[:, 1:].contiguous()
