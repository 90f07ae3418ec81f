"""python -m models.train.chat: fine-tuning a model to answer in turns, on the dialogues of novels."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from models.command import CommandParser, run_command
from models.errors import OptionError
from models.output import check_output_folder
from models.text_file import read_text_file
from models.train.dialogues import Dialogue, dialogues
from models.train.recipe import Recipe, add_recipe_options, recipe_from

__all__ = ["RECIPE", "main", "parser"]

RECIPE = Recipe(steps=240, batch=8, lr=1e-3, embedding_lr=1e-3, warmup=10, decay=0.9, dropout=0.1, save_every=60)
"""Defaults of the command."""

_LOGGED = 60  # held-out dialogues that the log scores
_LEAST_WINDOW = 8


def parser() -> argparse.ArgumentParser:
    """Options of the command; the recipe's defaults are `RECIPE`."""
    p = CommandParser("models.train.chat", description="Fine-tune a model to answer in turns: consecutive paragraphs "
                                                       "of direct speech are questions and answers.")
    p.add_argument("--text", type=Path, nargs="+", required=True, metavar="FILE", help="novels to train on")
    p.add_argument("--hold-out", type=Path, nargs="+", default=[], metavar="FILE", help="novels only scored")
    p.add_argument("--initial", default="demo", metavar="DIR", help="converted model to begin from (default: demo)")
    p.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write")
    p.add_argument("--window", type=int, default=256, help="tokens of a training sequence (default: %(default)s)")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint in the folder")
    p.add_argument("--compile", action="store_true", help="compile the network: faster after some minutes")
    p.add_argument("--threads", type=int, default=2)
    add_recipe_options(p, RECIPE)
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    recipe = recipe_from(options)
    for name, least in (("threads", 1), ("window", _LEAST_WINDOW)):
        if getattr(options, name) < least:
            raise OptionError(f"--{name} must be at least {least}, got {getattr(options, name)}")
    texts = {path.resolve() for path in options.text}
    for path in options.hold_out:
        if path.resolve() in texts:
            raise OptionError(f"{path} is both trained on and held out")
    training, held_out = ([dialogue for path in paths for dialogue in dialogues(read_text_file(path))]
                          for paths in (options.text, options.hold_out))
    check_output_folder(options.output)
    _run(options, recipe, training, held_out)


def _run(options: argparse.Namespace, recipe: Recipe, training: list[Dialogue], held_out: list[Dialogue]) -> None:
    import torch  # late: help and complaints need no PyTorch

    from models.checkpoint import TOKENIZER, load_model
    from models.train.answers import answer_bits
    from models.train.control_tokens import add_control_tokens
    from models.train.export import export
    from models.train.initial import network_of
    from models.train.loop import train
    from models.train.tokenizer import load_tokenizer
    from models.train.turns import END, TEMPLATE, TURN, Exchanges

    model = load_model(options.initial)
    if options.window > model.config.context:
        raise OptionError(f"--window must be at most the model's context of {model.config.context}, got "
                          f"{options.window}")
    torch.set_num_threads(options.threads)
    tokenizer = load_tokenizer(model.folder / TOKENIZER)
    base = network_of(model)
    base.dropout = recipe.dropout
    network, _ = add_control_tokens(base, tokenizer, [TURN])
    network.requires_grad_(True)
    network.dtype = getattr(torch, recipe.dtype)
    sequences = Exchanges(tokenizer, training, recipe.batch, options.window, recipe.seed)
    print(f"{len(training)} dialogues, {sequences.conversations} conversations; {len(held_out)} dialogues held out",
          flush=True)

    def score(count: int | None) -> str:
        if not held_out:
            return "nothing held out"
        network.dtype = torch.float32
        bits = answer_bits(network, tokenizer, held_out[:count])
        network.dtype = getattr(torch, recipe.dtype)
        return f"held-out answers: {bits:.4f} bits per character"

    def saved() -> str:
        export(network, tokenizer, options.output)
        settings = {"bos_token": END, "eos_token": f"<|{TURN}|>", "chat_template": TEMPLATE}
        (options.output / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        return score(_LOGGED)

    options.output.mkdir(parents=True, exist_ok=True)
    if not options.resume:
        print(f"before training, {score(None)}", flush=True)
    seconds = train(network, sequences, recipe, options.output / "checkpoint.pt", saved, resume=options.resume,
                    compiled=options.compile)
    print(f"{seconds:.0f} seconds; {score(None)}")


if __name__ == "__main__":
    run_command(main)
