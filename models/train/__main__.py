"""python -m models.train: quantisation-aware training of a small model, from text to a checkpoint folder."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from models.errors import ModelError
from models.train.recipe import Recipe, Shape

SHAPE_OPTIONS = {
    "vocab": "tokens of a tokenizer made here",
    "hidden": "width of the residual",
    "ffn": "width of the feed-forward",
    "layers": "decoder layers",
    "heads": "query heads",
    "kv_heads": "key and value heads",
    "context": "tokens of a training window",
}


def parser() -> argparse.ArgumentParser:
    """Options of the command; shape and recipe take their defaults from their dataclasses."""
    p = argparse.ArgumentParser(prog="python -m models.train", description=__doc__.partition(": ")[2])
    p.add_argument("--text", type=Path, nargs="+", required=True, metavar="FILE", help="texts to train on")
    p.add_argument("--weights", type=float, nargs="+", metavar="W", help="how often each is drawn (default: by size)")
    p.add_argument("--hold-out", type=Path, nargs="+", default=[], metavar="FILE", help="texts only scored")
    p.add_argument("--hold-out-book", nargs="+", default=[], metavar="NAME", help="books of a collection only scored")
    p.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write")
    p.add_argument("--tokenizer", type=Path, metavar="FILE", help="tokenizer.json (default: made from the texts)")
    p.add_argument("--prompt", nargs="+", default=[], metavar="TEXT", help="prompts to continue at the end")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint in the folder")
    p.add_argument("--compile", action="store_true", help="compile the network: a third faster after two minutes")
    p.add_argument("--threads", type=int, default=2)
    shape = p.add_argument_group("model")
    for name, text in SHAPE_OPTIONS.items():
        shape.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(Shape, name), help=text)
    recipe = p.add_argument_group("recipe")
    for field in fields(Recipe):
        recipe.add_argument(f"--{field.name.replace('_', '-')}", type=field.type, default=field.default)
    return p


def main() -> int:
    args = parser().parse_args()
    try:
        from models.train.run import run

        shape = Shape(**{name: getattr(args, name) for name in SHAPE_OPTIONS})
        recipe = Recipe(**{field.name: getattr(args, field.name) for field in fields(Recipe)})
        run(args, shape, recipe)
    except ModuleNotFoundError as error:
        print(f"models.train: {error.name} is not installed: pip install 'tritloom[train]'", file=sys.stderr)
        return 2
    except (ModelError, OSError, UnicodeDecodeError) as error:
        print(f"models.train: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
