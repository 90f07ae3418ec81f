"""python -m models.train.score: bits per character of text under an exported model, in float32."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from models.command import CommandParser, run_command
from models.errors import OptionError
from models.text_file import read_text_file

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    p = CommandParser("models.train.score", description=__doc__.partition(": ")[2])
    p.add_argument("--model", type=Path, required=True, metavar="DIR")
    p.add_argument("--text", type=Path, required=True, metavar="FILE")
    p.add_argument("--book", metavar="NAME", help="only this book of a collection")
    p.add_argument("--threads", type=int, default=2)
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if options.threads < 1:
        raise OptionError(f"--threads must be at least 1, got {options.threads}")
    import torch  # late: help and complaints need no PyTorch

    from models.train.corpus import split_books
    from models.train.evaluate import bits_per_character
    from models.train.export import load

    torch.set_num_threads(options.threads)
    network, tokenizer = load(options.model)
    text = read_text_file(options.text)
    if options.book:
        books = split_books(text)
        if options.book not in books:
            raise OptionError(f"no book named {options.book} in {options.text}")
        text = books[options.book]
    print(f"{bits_per_character(network, tokenizer, text):.4f} bits per character of {len(text)} characters")


if __name__ == "__main__":
    run_command(main)
