"""Random checkpoints of any shape, straight in machine integers: for speed work and for tests.

Trits are non-zero as often as Gaussian weights ternarised by their mean magnitude (69 %), and every scale is
such that activations stay of the order of one: a linear layer keeps the RMS of its input, and the two that
write to the residual share its growth among the layers.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from math import erfc, pi, sqrt
from pathlib import Path

import numpy as np
from tqdm import tqdm

from models.checkpoint_writer import new_checkpoint
from models.command import CommandParser, run_command
from models.config import PRESETS, ModelConfig
from models.errors import OptionError
from models.integers import embedding_rows, gain_vector, head_of_embedding, head_rows, scalar_words
from models.model import Gains, Layer, Model, ModelBuilder, ModelSink, TernaryMatrix
from models.output import check_output_folder
from models.residual_scale import fraction_bits
from models.ternary import pack_trits, packed_width, unpack_trits

__all__ = ["NONZERO", "main", "parser", "synthesise", "synthetic_model"]

NONZERO = erfc(sqrt(2 / pi) / 2 / sqrt(2))
"""Share of non-zero trits: P(|z| > mean|z| / 2) of a standard normal z."""

_LARGEST = 16.0  # of the residual: five sigma of the embedding's unit variance, and its growth
_BLOCK = 4096  # vocabulary rows made at a time


def synthetic_model(config: ModelConfig, seed: int = 0, *, progress: bool = False) -> Model:
    """A random model of this shape. The same shape and seed give the same model."""
    builder = ModelBuilder(config)
    synthesise(builder, config, seed, progress=progress)
    return builder.model


def synthesise(sink: ModelSink, config: ModelConfig, seed: int = 0, *, progress: bool = False) -> None:
    """`synthetic_model`, part by part."""
    rng = np.random.default_rng(seed)
    codes = _code_table()
    silent = None if progress else True  # None: no bar where standard error is not a terminal
    for index in tqdm(range(config.layers), "layers", unit="layer", disable=silent):
        linears = {}
        for name, (outputs, inputs) in config.linear_shapes.items():
            scale = 1 / sqrt(inputs * NONZERO)
            if name in ("o", "down"):
                scale /= sqrt(2 * config.layers)
            linears[name] = TernaryMatrix(_random_packed(rng, codes, outputs, inputs), inputs,
                                          scalar_words(np.array(scale))[()])
        sink.layer(index, Layer(linears, {name: _gains(rng, size) for name, size in config.gain_sizes.items()}))
    for start in tqdm(range(0, config.vocab_size, _BLOCK), "vocabulary", unit="block", disable=silent):
        size = min(_BLOCK, config.vocab_size - start), config.hidden_size
        embedding, exponents = embedding_rows(rng.standard_normal(size, np.float32))
        if config.tied_head:
            head = head_of_embedding(embedding, exponents)
        else:
            head = head_rows(rng.standard_normal(size, np.float32) / sqrt(size[1]))
        sink.vocabulary(start, embedding, exponents, *head)
    sink.finish(_gains(rng, config.hidden_size), fraction_bits(_LARGEST),
                {"source": "models.synth", "seed": seed})


def _gains(rng: np.random.Generator, size: int) -> Gains:
    return gain_vector(1 + rng.standard_normal(size) / 8)


def _code_table() -> np.ndarray:
    """uint8 [65536]: a uniform 16-bit index draws a byte of five independent trits."""
    one = np.array([NONZERO / 2, 1 - NONZERO, NONZERO / 2])
    chance = one
    for _ in range(4):
        chance = np.outer(one, chance).reshape(-1)  # a further, more significant digit
    bounds = np.rint(np.cumsum(chance) * 65536).astype(np.int64)
    return np.searchsorted(bounds, np.arange(65536), side="right").astype(np.uint8)


def _random_packed(rng: np.random.Generator, codes: np.ndarray, outputs: int, inputs: int) -> np.ndarray:
    packed = codes[rng.integers(0, 65536, (outputs, packed_width(inputs)), np.uint16)]
    if rest := inputs % 5:
        packed[:, -1:] = pack_trits(unpack_trits(packed[:, -1:], rest))  # zero padding
    return packed


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    result = CommandParser(
        "models.synth",
        description="Make a random checkpoint of a real model's shape, for speed work: its text is noise, "
                    "its bytes, memory and cycles are the real model's.")
    result.add_argument("--preset", required=True, metavar="NAME", help=f"one of {', '.join(PRESETS)}")
    result.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="model folder to write")
    result.add_argument("--seed", type=int, default=0, help="seed of the random numbers (default 0)")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if options.preset not in PRESETS:
        raise OptionError(f"unknown preset {options.preset!r}; known: {', '.join(PRESETS)}")
    if options.seed < 0:
        raise OptionError(f"--seed must be at least 0, got {options.seed}")
    check_output_folder(options.output)
    config = PRESETS[options.preset]
    with new_checkpoint(options.output, config) as writer:
        synthesise(writer, config, options.seed, progress=True)


if __name__ == "__main__":
    run_command(main)
