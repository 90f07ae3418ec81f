"""python -m models.train: quantisation-aware training of a small model, from text to a checkpoint folder."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from models.command import CommandParser, run_command
from models.config import ACTIVATIONS, HOST_ACTIVATIONS, NORMS
from models.errors import OptionError
from models.output import check_output_folder
from models.train.recipe import Recipe, Shape, add_recipe_options, recipe_from

__all__ = ["main", "parser"]

SHAPE_OPTIONS = {
    "vocab": "tokens of a tokenizer made here",
    "hidden": "width of the residual",
    "ffn": "width of the feed-forward",
    "layers": "decoder layers",
    "heads": "query heads",
    "kv_heads": "key and value heads",
    "context": "tokens of a training window",
}

VARIANT_OPTIONS = ("activation", "norm", "norm_heads", "kept")


def parser() -> argparse.ArgumentParser:
    """Options of the command; shape and recipe take their defaults from their dataclasses."""
    p = CommandParser("models.train", description=__doc__.partition(": ")[2])
    p.add_argument("--text", type=Path, nargs="+", required=True, metavar="FILE", help="texts to train on")
    p.add_argument("--weights", type=float, nargs="+", metavar="W", help="how often each is drawn (default: by size)")
    p.add_argument("--hold-out", type=Path, nargs="+", default=[], metavar="FILE", help="texts only scored")
    p.add_argument("--hold-out-book", nargs="+", default=[], metavar="NAME", help="books of a collection only scored")
    p.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write")
    p.add_argument("--tokenizer", type=Path, metavar="FILE", help="tokenizer.json (default: made from the texts)")
    p.add_argument("--prompt", nargs="+", default=[], metavar="TEXT", help="prompts to continue at the end")
    p.add_argument("--initial", metavar="DIR",
                   help="model to begin from: demo, a converted folder or one of models.train (default: random)")
    p.add_argument("--only", nargs="+", default=[], metavar="NAME",
                   help="tensors to train, such as layers.3.mlp.up_proj or layers.*.self_attn.* (default: all); the "
                        "others stay as --initial has them")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint in the folder")
    p.add_argument("--compile", action="store_true", help="compile the network: a third faster after two minutes")
    p.add_argument("--threads", type=int, default=2)
    shape = p.add_argument_group("model")
    for name, text in SHAPE_OPTIONS.items():
        shape.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(Shape, name), help=text)
    shape.add_argument("--activation", choices=(*ACTIVATIONS, *HOST_ACTIVATIONS), default=Shape.activation,
                       help="of the gate")
    shape.add_argument("--norm", choices=NORMS, default=Shape.norm, help="in front of a layer's blocks")
    shape.add_argument("--norm-heads", type=int, default=Shape.norm_heads, help="of seednorm")
    shape.add_argument("--kept", type=float, default=Shape.kept, help="share of gates that spark lets pass")
    add_recipe_options(p, Recipe())
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    shape = Shape(**{name: getattr(options, name) for name in (*SHAPE_OPTIONS, *VARIANT_OPTIONS)})
    recipe = recipe_from(options)
    if options.threads < 1:
        raise OptionError(f"--threads must be at least 1, got {options.threads}")
    for name in ("tokenizer", "resume"):
        if options.initial and getattr(options, name):
            raise OptionError(f"--{name} and --initial exclude each other: either says what the run begins with")
    if options.only and not (options.initial or options.resume):
        raise OptionError("--only needs --initial: without it the other tensors would stay random")
    check_output_folder(options.output)
    from models.train.run import run  # late: it needs PyTorch

    run(options, shape, recipe)


if __name__ == "__main__":
    run_command(main)
