"""python -m models.train.score: bits per character of text under an exported model, in float32."""

import argparse
import sys
from pathlib import Path

import torch

from models.errors import ModelError
from models.train.corpus import split_books
from models.train.evaluate import bits_per_character
from models.train.export import load

__all__ = ["main"]


def main() -> int:
    p = argparse.ArgumentParser(prog="python -m models.train.score", description=__doc__.partition(": ")[2])
    p.add_argument("--model", type=Path, required=True, metavar="DIR")
    p.add_argument("--text", type=Path, required=True, metavar="FILE")
    p.add_argument("--book", metavar="NAME", help="only this book of a collection")
    p.add_argument("--threads", type=int, default=2)
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    try:
        network, tokenizer = load(args.model)
        text = args.text.read_text(encoding="utf-8")
        if args.book:
            books = split_books(text)
            if args.book not in books:
                raise ModelError(f"no book named {args.book} in {args.text}")
            text = books[args.book]
    except (ModelError, OSError, UnicodeDecodeError) as error:
        print(f"models.train.score: {error}", file=sys.stderr)
        return 2
    print(f"{bits_per_character(network, tokenizer, text):.4f} bits per character of {len(text)} characters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
