"""From a float model to machine integers: every decision of a conversion, in one place."""

from __future__ import annotations

import math

import numpy as np
from tqdm import tqdm

from models.errors import ModelError, located
from models.formats.source import FloatLayer, FloatModel, row_blocks
from models.integers import embedding_rows, gain_vector, head_of_embedding, head_rows, scalar_words
from models.model import Layer, Model, ModelBuilder, ModelSink, TernaryMatrix
from models.residual_scale import Growth, ResidualScale, fraction_bits
from models.ternary import pack_trits

__all__ = ["quantise_into", "quantise_model"]


def quantise_into(sink: ModelSink, model: FloatModel, *, residual_max: float | None = None,
                  progress: bool = False) -> None:
    """Decide all integers of a model, part by part. `ModelError` names the tensor that cannot be represented.

    Trits are kept; a matrix' scale becomes the nearest scalar word; gains, embedding and head as
    `models.integers` says; the residual's fraction bits follow from `residual_max`, the largest |h| seen in a
    calibration of the caller's (None: `models.residual_scale`). Each part is read once.
    """
    if residual_max is not None and not 0 < residual_max < math.inf:
        raise ModelError(f"residual: expected a largest value above zero and finite, found {residual_max}")
    growth = Growth(model) if residual_max is None else None
    silent = None if progress else True  # None: no bar where standard error is not a terminal
    for index, layer in enumerate(tqdm(model.layers, "layers", unit="layer", disable=silent)):
        sink.layer(index, _layer(index, layer))
        if growth is not None:
            growth.layer(layer)
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
            if growth is not None:
                growth.rows(rows)
            bar.update(len(rows))
    with located("final norm"):
        final = gain_vector(model.final_gains)
    if growth is None:
        scale = ResidualScale(fraction_bits(residual_max), residual_max, "given")
    else:
        scale = growth.scale()
    found = {"residual_max": scale.largest, "residual_rule": scale.rule, "residual_raised": scale.raised,
             "zeros": model.zeros.names}
    sink.finish(final, scale.fraction_bits,
                model.provenance | {name: value for name, value in found.items() if value not in (None, [])})


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
