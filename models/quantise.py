"""From a float model to machine integers: every decision of a conversion, in one place."""

from __future__ import annotations

import math

import numpy as np
from tqdm import tqdm

from models.checkpoint import RESIDUAL_LIMIT
from models.errors import ModelError, located
from models.float_twin import run_float
from models.formats.source import FloatLayer, FloatModel, row_blocks
from models.integers import embedding_rows, gain_vector, head_of_embedding, head_rows, scalar_words
from models.model import Layer, Model, ModelBuilder, ModelSink, TernaryMatrix
from models.ternary import pack_trits

__all__ = ["CALIBRATION_PARAMETERS", "calibrated_maximum", "quantise_into", "quantise_model", "residual_fraction_bits"]

CALIBRATION_PARAMETERS = 50_000_000
"""Models with fewer weights are run in floating point to see how large their residual grows."""

_CALIBRATION_TOKENS = 64
_ASSUMED_GROWTH = 2.0**12  # massive activations are 10**3 to 10**4 times the median
_CEILING_BITS = 27


def residual_fraction_bits(largest: float) -> int:
    """Fraction bits r of the int32 residual of a model whose residual was seen to reach `largest` (> 0).

    r = 27 - ceil(log2 largest), within ±RESIDUAL_LIMIT: the largest value seen takes 27 of the 31 bits, so
    others may exceed it sixteenfold before they saturate, and a median 10**4 times smaller keeps 13 bits.
    """
    bits = _CEILING_BITS - math.ceil(math.log2(largest))
    return max(-RESIDUAL_LIMIT, min(RESIDUAL_LIMIT, bits))


def calibrated_maximum(model: FloatModel) -> tuple[float, str]:
    """The largest |h| to expect of the residual, and how it was found, in words.

    Models below CALIBRATION_PARAMETERS weights: the largest of a float run over 64 token ids drawn with seed
    0, the first of them `bos_id` where there is one. Others: 2**12 times the embedding's RMS.
    """
    if model.config.parameters < CALIBRATION_PARAMETERS:
        count = min(_CALIBRATION_TOKENS, model.config.context)
        ids = np.random.default_rng(0).integers(0, model.config.vocab_size, count)
        if model.config.bos_id is not None:
            ids[0] = model.config.bos_id
        with np.errstate(all="ignore"):  # of a damaged model; the caller sees that its maximum is none
            return run_float(model, ids).residual_max, f"float run over {count} random tokens"
    with np.errstate(all="ignore"):
        squares = sum(float(np.vdot(rows, rows)) for _, rows in row_blocks(model.embedding))
    count = model.config.vocab_size * model.config.hidden_size
    return _ASSUMED_GROWTH * math.sqrt(squares / count), "4096 times the embedding's RMS"


def quantise_into(sink: ModelSink, model: FloatModel, *, residual_max: float | None = None,
                  progress: bool = False) -> None:
    """Decide all integers of a model, part by part. `ModelError` names the tensor that cannot be represented.

    Trits are kept; a matrix' scale becomes the nearest scalar word; gains, embedding and head as
    `models.integers` says; the residual's fraction bits follow from `residual_max`, the largest |h| seen in a
    calibration of the caller's (None: `calibrated_maximum`).
    """
    rule = "given"
    if residual_max is None:
        with located("embedding"):
            residual_max, rule = calibrated_maximum(model)
    if not 0 < residual_max < math.inf:
        raise ModelError(f"residual: expected a largest value above zero and finite, found {residual_max}")
    silent = None if progress else True  # None: no bar where standard error is not a terminal
    for index, layer in enumerate(tqdm(model.layers, "layers", unit="layer", disable=silent)):
        sink.layer(index, _layer(index, layer))
    with tqdm(total=model.config.vocab_size, desc="vocabulary", unit="row", disable=silent) as bar:
        for start, rows in row_blocks(model.embedding):
            with located("embedding"):
                embedding, exponents = embedding_rows(rows)
            if model.head is None:
                head = head_of_embedding(embedding, exponents)
            else:
                with located("head"):
                    head = head_rows(model.head[start:start + len(rows)])
            sink.vocabulary(start, embedding, exponents, *head)
            bar.update(len(rows))
    with located("final norm"):
        final = gain_vector(model.final_gains)
    sink.finish(final, residual_fraction_bits(residual_max),
                model.provenance | {"residual_max": residual_max, "residual_rule": rule})


def quantise_model(model: FloatModel, *, residual_max: float | None = None, progress: bool = False) -> Model:
    """`quantise_into` a model in memory."""
    builder = ModelBuilder(model.config)
    quantise_into(builder, model, residual_max=residual_max, progress=progress)
    return builder.model


def _layer(index: int, layer: FloatLayer) -> Layer:
    linears, gains = {}, {}
    for name, linear in layer.linears.items():
        with located(f"layer {index}, {name} scale"):
            scale = scalar_words(np.array(linear.scale))[()]
        linears[name] = TernaryMatrix(pack_trits(linear.trits), linear.trits.shape[1], scale)
    for name, values in layer.gains.items():
        with located(f"layer {index}, {name} norm"):
            gains[name] = gain_vector(values)
    return Layer(linears, gains)
