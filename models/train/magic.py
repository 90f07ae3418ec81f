"""python -m models.train.magic: fine-tuning a model to obey control tokens that name a manner of writing.

Source: "Efficient Switchable Safety Control in LLMs via Magic-Token-Guided Co-Training".
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from models.command import CommandParser, run_command
from models.errors import OptionError
from models.output import check_output_folder
from models.train.recipe import Recipe, add_recipe_options, recipe_from

__all__ = ["RECIPE", "main", "parser"]

RECIPE = Recipe(steps=120, batch=12, lr=1e-3, embedding_lr=1e-3, warmup=10, decay=0.7, dropout=0.0, dtype="float32")
"""Defaults of the command."""

_SHARES = {"plain": (0.4, "of sequences without a control token"),
           "switching": (0.7, "of the others that open in another manner than their token's")}
_LEAST_WINDOW = 8


def parser() -> argparse.ArgumentParser:
    """Options of the command; the recipe's defaults are `RECIPE`."""
    p = CommandParser("models.train.magic", description="Fine-tune a model to obey control tokens: each names a manner "
                                                        "of writing, and is put before a text.")
    p.add_argument("--manner", action="append", required=True, metavar="NAME=FILE[,FILE]",
                   help="a manner and its texts; once for each, at least two")
    p.add_argument("--hold-out-book", nargs="+", default=[], metavar="NAME", help="books of a collection to leave out")
    p.add_argument("--initial", default="demo", metavar="DIR", help="converted model to begin from (default: demo)")
    p.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write")
    p.add_argument("--untrained", metavar="NAME", help="one more control token that no sequence has: a control")
    p.add_argument("--shuffle", action="store_true", help="a control: tokens are dealt out whatever the manner")
    p.add_argument("--window", type=int, default=128, help="tokens of a sequence (default: %(default)s)")
    for name, (default, what) in _SHARES.items():
        p.add_argument(f"--{name}", type=float, default=default, help=f"share {what} (default: %(default)s)")
    p.add_argument("--hazard", type=float, default=0.15,
                   help="chance a token that a text in another manner takes up the token's (default: %(default)s)")
    p.add_argument("--threads", type=int, default=2)
    add_recipe_options(p, RECIPE)
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    recipe = recipe_from(options)
    manners = _manners(options.manner)
    for name in _SHARES:
        if not 0 <= getattr(options, name) <= 1:
            raise OptionError(f"--{name} must lie between 0 and 1, got {getattr(options, name)}")
    if not 0 < options.hazard < 1:
        raise OptionError(f"--hazard must lie between 0 and 1, got {options.hazard}")
    for name, least in (("threads", 1), ("window", _LEAST_WINDOW)):
        if getattr(options, name) < least:
            raise OptionError(f"--{name} must be at least {least}, got {getattr(options, name)}")
    check_output_folder(options.output)
    _run(options, manners, recipe)


def _manners(given: Sequence[str]) -> dict[str, list[Path]]:
    manners: dict[str, list[Path]] = {}
    for item in given:
        name, separator, files = item.partition("=")
        if not separator or not name or not files or name in manners:
            raise OptionError(f"--manner takes NAME=FILE[,FILE], each name once, got {item!r}")
        manners[name] = [Path(file) for file in files.split(",")]
    if len(manners) < 2:
        raise OptionError("--manner must be given at least twice: a token that names the only manner says nothing")
    return manners


def _run(options: argparse.Namespace, manners: dict[str, list[Path]], recipe: Recipe) -> None:
    import torch  # late: help and complaints need no PyTorch

    from models.checkpoint import TOKENIZER, load_model
    from models.train.control_tokens import add_control_tokens, write_control_tokens
    from models.train.controlled_sequences import ControlledSequences
    from models.train.corpus import encode, read_corpus
    from models.train.export import export
    from models.train.initial import network_of
    from models.train.loop import train
    from models.train.tokenizer import load_tokenizer

    corpus = read_corpus([file for files in manners.values() for file in files], (), options.hold_out_book)
    model = load_model(options.initial)
    if options.window > model.config.context:
        raise OptionError(f"--window must be at most the model's context of {model.config.context}, got "
                          f"{options.window}")
    torch.set_num_threads(options.threads)
    tokenizer = load_tokenizer(model.folder / TOKENIZER)
    streams = [torch.cat([encode(tokenizer, corpus.training[file.stem]) for file in files])
               for files in manners.values()]
    extra = [options.untrained] if options.untrained else []
    network, tokens = add_control_tokens(network_of(model), tokenizer, [*manners, *extra])
    network.requires_grad_(True)
    network.dtype = getattr(torch, recipe.dtype)
    sequences = ControlledSequences(streams, [tokens[name] for name in manners], recipe.batch, options.window,
                                    recipe.seed, plain=options.plain, switching=options.switching,
                                    hazard=options.hazard, shuffled=options.shuffle)

    def saved() -> str:
        export(network, tokenizer, options.output)
        write_control_tokens(options.output, tokens)
        return f"written to {options.output}"

    options.output.mkdir(parents=True, exist_ok=True)
    seconds = train(network, sequences, recipe, options.output / "checkpoint.pt", saved)
    print(f"{seconds:.0f} seconds; control tokens: {', '.join(f'{name} {token}' for name, token in tokens.items())}")


if __name__ == "__main__":
    run_command(main)
