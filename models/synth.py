"""Random checkpoints of any shape, straight in machine integers: for speed work and for tests.

Trits are non-zero as often as Gaussian weights ternarised by their mean magnitude (69 %), and every scale is
such that activations stay of the order of one: a linear layer keeps the RMS of its input, and the two that
write to the residual share its growth among the layers.

With a share of `zeros` the token decides which gates are zero. Half of the residual's channels are selectors, in
`SELECTORS` groups of which a token has 1 - zeros positive, drawn, and the rest negative; nothing is added to them. A
gate's row takes one group's selectors and the channels that are none: it is positive where its group is. Gates are
dealt out to the groups evenly, so that the share of those above zero is that of the positive groups, for every token;
the rounding of their products to int8 makes some more zero.
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
from models.formats.source import GroupedLinear
from models.integers import embedding_rows, gain_vector, head_of_embedding, head_rows, scalar_words
from models.model import (
    Gains,
    GroupedMatrix,
    GroupedTable,
    Layer,
    Matrix,
    Model,
    ModelBuilder,
    ModelSink,
    TernaryMatrix,
)
from models.output import check_output_folder
from models.quantise import grouped_matrix, matrix_bits
from models.residual_scale import fraction_bits
from models.ternary import pack_trits, packed_width, unpack_trits
from models.ternary_groups import GROUP, group_mantissas, pack_groups

__all__ = ["NONZERO", "SELECTORS", "main", "parser", "synthesise", "synthetic_model"]

NONZERO = erfc(sqrt(2 / pi) / 2 / sqrt(2))
"""Share of non-zero trits: P(|z| > mean|z| / 2) of a standard normal z."""

SELECTORS = 20
"""Groups of selectors: `zeros` is a multiple of their share."""

_SELECTOR = 3.0  # their magnitude; other channels have a variance of one
_LARGEST = 16.0  # of the residual: five sigma of the embedding's unit variance, and its growth
_BLOCK = 4096  # vocabulary rows made at a time


def synthetic_model(config: ModelConfig, seed: int = 0, *, zeros: float | None = None,
                    progress: bool = False) -> Model:
    """A random model of this shape. The same shape, seed and zeros give the same model.

    zeros: of the gates, nearly; None: as they fall. `OptionError` where the shape has too few channels to decide them.
    """
    builder = ModelBuilder(config)
    synthesise(builder, config, seed, zeros=zeros, progress=progress)
    return builder.model


def synthesise(sink: ModelSink, config: ModelConfig, seed: int = 0, *, zeros: float | None = None,
               progress: bool = False) -> None:
    """`synthetic_model`, part by part."""
    selectors = None if zeros is None else _Selectors(config, zeros)
    rng = np.random.default_rng(seed)
    codes = _code_table()
    silent = None if progress else True  # None: no bar where standard error is not a terminal
    for index in tqdm(range(config.layers), "layers", unit="layer", disable=silent):
        linears: dict[str, Matrix] = {}
        for name, (outputs, inputs) in config.linear_shapes.items():
            scale = 1 / sqrt(inputs * NONZERO)
            if name in ("o", "down"):
                scale /= sqrt(2 * config.layers)
            packed = _random_packed(rng, codes, outputs, inputs)
            if selectors is not None and name in ("gate", "o", "down"):
                packed = selectors.decide(name, packed, inputs)
            if config.grouped:
                linears[name] = _grouped(rng, unpack_trits(packed, inputs), scale, name)
            else:
                linears[name] = TernaryMatrix(packed, inputs, scalar_words(np.array(scale))[()])
        sink.layer(index, Layer(linears, {name: _gains(rng, size) for name, size in config.gain_sizes.items()}))
    for start in tqdm(range(0, config.vocab_size, _BLOCK), "vocabulary", unit="block", disable=silent):
        size = min(_BLOCK, config.vocab_size - start), config.hidden_size
        if config.grouped_tables:
            table = _table(rng, codes, *size, 1.0)
            own = table if config.tied_head else _table(rng, codes, *size, 1 / sqrt(size[1]))
            sink.vocabulary(start, *table, own[0], GroupedTable.units(own[1]))
            continue
        values = rng.standard_normal(size, np.float32)
        embedding, exponents = embedding_rows(values if selectors is None else selectors.embed(rng, values))
        if config.tied_head:
            head = head_of_embedding(embedding, exponents)
        else:
            head = head_rows(rng.standard_normal(size, np.float32) / sqrt(size[1]))
        sink.vocabulary(start, embedding, exponents, *head)
    sink.finish(_gains(rng, config.hidden_size), fraction_bits(_LARGEST),
                {"source": "models.synth", "seed": seed} | ({} if zeros is None else {"zeros": zeros}))


def _group_scales(rng: np.random.Generator, rows: int, groups: int, scale: float) -> np.ndarray:
    """Scales of groups as trained ones lie: within a factor of two or so of each other, in fp16."""
    return (scale * np.exp(rng.standard_normal((rows, groups), np.float32) / 4)).astype(np.float16).astype(np.float32)


def _grouped(rng: np.random.Generator, trits: np.ndarray, scale: float, name: str) -> GroupedMatrix:
    scales = _group_scales(rng, len(trits), trits.shape[1] // GROUP, scale)
    return grouped_matrix(GroupedLinear(trits, scales), matrix_bits(name))


def _table(rng: np.random.Generator, codes: np.ndarray, rows: int, channels: int, scale: float
           ) -> tuple[GroupedTable, np.ndarray]:
    """Rows whose values have a root mean square of `scale`, and their exponents."""
    trits = unpack_trits(_random_packed(rng, codes, rows, channels), channels)
    mantissas, exponents = group_mantissas(_group_scales(rng, rows, channels // GROUP, scale / sqrt(NONZERO)))
    return GroupedTable(pack_groups(trits), mantissas), exponents.astype(np.int8)


class _Selectors:
    """Which channels decide the gates, the first ones: `SELECTORS` groups of `size`."""

    def __init__(self, config: ModelConfig, zeros: float):
        positive = (1 - zeros) * SELECTORS
        if not 0 <= zeros <= 1 or abs(positive - round(positive)) > 1e-9:
            raise OptionError(f"a share of zeros must be a multiple of {1 / SELECTORS:g} from 0 to 1, got {zeros:g}")
        self._positive = round(positive)
        self._size = config.hidden_size // (2 * SELECTORS)
        if not self._size:
            raise OptionError(f"a share of zeros needs a hidden size of at least {2 * SELECTORS}, "
                              f"got {config.hidden_size}")

    def embed(self, rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
        """Rows of an embedding, [tokens, hidden], with their selectors."""
        signs = np.where(np.arange(SELECTORS) < self._positive, _SELECTOR, -_SELECTOR)
        signs = rng.permuted(np.tile(signs, (len(values), 1)), axis=1)
        values[:, :SELECTORS * self._size] = np.repeat(signs, self._size, axis=1)
        return values

    def decide(self, name: str, packed: np.ndarray, inputs: int) -> np.ndarray:
        """A matrix' rows: of the gate, that take their group's selectors alone; of o and down, that add to none."""
        trits, selectors = unpack_trits(packed, inputs), SELECTORS * self._size
        if name != "gate":
            trits[:selectors] = 0
        else:
            group = np.arange(len(trits)) % SELECTORS
            trits[:, :selectors] = np.arange(selectors) // self._size == group[:, None]
        return pack_trits(trits)


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
    result.add_argument("--zeros", type=float, metavar="SHARE",
                        help=f"of the gates that are zero, a multiple of {1 / SELECTORS:g} (default: as they fall)")
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
        synthesise(writer, config, options.seed, zeros=options.zeros, progress=True)


if __name__ == "__main__":
    run_command(main)
