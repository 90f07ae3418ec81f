"""python -m models.train.beacons: a model that works while rows leave its cache, made from one that needs all of them.

`--rows beacons`: Activation Beacon. `--rows window`: its control, which sees a window with sinks, rows kept at random
or everything, text by text. `--rows all`: everything, which teaches recall to what both begin from. Three quarters of
the texts repeat themselves (`models.train.repeats`), the others are the corpus as it is. Figures: docs/beacon.md.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from models.command import CommandParser, run_command
from models.errors import OptionError
from models.eviction import BEACON_CHARACTER, Schedule, beacons, everything, random_rows, window
from models.output import check_output_folder
from models.train.recipe import Recipe, Shape, add_recipe_options, recipe_from

__all__ = ["main", "parser", "schedules"]


def schedules(rows: str, tokens: int, unit: int, ratios: Sequence[int], sinks: int
              ) -> Callable[[np.random.Generator], Schedule]:
    """What draws the schedule of a text of so many tokens, by the name that `--rows` has.

    beacons: the ratio of each unit is drawn by itself. window: at the rows that a ratio drawn at random leaves beacons.
    """
    def drawn_beacons(rng: np.random.Generator) -> Schedule:
        return beacons(tokens, unit, rng.choice(ratios, -(-tokens // unit)))

    def drawn_window(rng: np.random.Generator) -> Schedule:
        ratio, kind = int(rng.choice(ratios)), rng.random()
        if kind < 0.25:
            return everything(tokens)
        if kind < 0.5:
            return random_rows(tokens, unit, ratio, sinks, rng)
        return window(tokens, unit, beacons(tokens, unit, [ratio]).peak, sinks)

    return {"beacons": drawn_beacons, "window": drawn_window, "all": lambda rng: everything(tokens)}[rows]


def parser() -> argparse.ArgumentParser:
    """Options of the command; the recipe takes its defaults from its dataclass."""
    p = CommandParser("models.train.beacons", description=__doc__.partition(": ")[2],
                      formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--text", type=Path, nargs="+", required=True, metavar="FILE", help="texts to train on")
    p.add_argument("--weights", type=float, nargs="+", metavar="W", help="how often each is drawn (default: by size)")
    p.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write")
    p.add_argument("--initial", default="demo", metavar="DIR", help="model to begin from (default: demo)")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint in the folder")
    p.add_argument("--rows", choices=("beacons", "window", "all"), default="beacons", help="what stays in the cache")
    p.add_argument("--tokens", type=int, default=256, help="of a training text (default: 256)")
    p.add_argument("--unit", type=int, default=32, help="tokens after which rows leave (default: 32)")
    p.add_argument("--ratios", type=int, nargs="+", default=[2, 4, 8], metavar="R", help="(default: 2 4 8)")
    p.add_argument("--sinks", type=int, default=4, help="of windows (default: 4)")
    p.add_argument("--guided", type=float, default=0.0, metavar="W",
                   help="what a guide of attention weighs in the loss (default: 0, none)")
    p.add_argument("--threads", type=int, default=2)
    add_recipe_options(p, Recipe())
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    recipe = recipe_from(options)
    for name, least in (("threads", 1), ("tokens", 16), ("unit", 1), ("sinks", 0)):
        if getattr(options, name) < least:
            raise OptionError(f"--{name} must be at least {least}, got {getattr(options, name)}")
    if options.guided < 0:
        raise OptionError(f"--guided must not be negative, got {options.guided}")
    schedule = schedules(options.rows, options.tokens, options.unit, options.ratios, options.sinks)
    schedule(np.random.default_rng(0))  # what does not fit is told before PyTorch is read
    check_output_folder(options.output)
    import torch

    from models.train.corpus import encode, read_corpus
    from models.train.evicting import EvictingBitNet
    from models.train.export import export
    from models.train.initial import read_initial
    from models.train.loop import train
    from models.train.repeats import RepeatSampler
    from models.train.run import stream_weights

    corpus = read_corpus(options.text, [], [])
    initial = read_initial(options.initial, Shape(context=max(Shape.context, options.tokens)))
    streams = [encode(initial.tokenizer, texts) for texts in corpus.training.values()]
    sampler = RepeatSampler(streams, stream_weights(options.weights, streams), recipe.batch, options.tokens,
                            recipe.seed, schedule=schedule,
                            beacon=initial.tokenizer.token_to_id(BEACON_CHARACTER))
    torch.set_num_threads(options.threads)
    torch.manual_seed(recipe.seed)
    network = EvictingBitNet(initial.shape, recipe.dropout, dtype=getattr(torch, recipe.dtype), guided=options.guided)
    network.load_state_dict(initial.state)
    options.output.mkdir(parents=True, exist_ok=True)

    def saved() -> str:
        export(network, initial.tokenizer, options.output)
        return "saved"

    seconds = train(network, sampler, recipe, options.output / "checkpoint.pt", saved, resume=options.resume)
    print(f"{seconds:.0f} seconds")


if __name__ == "__main__":
    run_command(main)
