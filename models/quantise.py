"""From a float model to machine integers: every decision of a conversion, in one place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tqdm import tqdm

from models.errors import ModelError, located
from models.formats.source import FloatLayer, FloatModel, FloatRows, GroupedLinear, GroupedRows, row_blocks
from models.golden.gated import GATE_BITS
from models.golden.ternary_matmul import ACCUMULATOR_BITS
from models.integers import embedding_rows, gain_vector, head_of_embedding, head_rows, scalar_words
from models.model import GroupedMatrix, GroupedTable, Layer, Matrix, Model, ModelBuilder, ModelSink, TernaryMatrix
from models.residual_scale import Growth, ResidualScale, fraction_bits
from models.ternary import pack_trits
from models.ternary_groups import group_mantissas, group_shift, pack_groups

__all__ = ["grouped_matrix", "matrix_bits", "quantise_into", "quantise_model"]


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
            sink.vocabulary(start, *_vocabulary(model, start, rows))
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


def _vocabulary(model: FloatModel, start: int, rows: np.ndarray) -> tuple[Any, ...]:
    """What a sink takes of the vocabulary's rows from number `start` on. rows: those of the embedding."""
    stop = start + len(rows)
    if model.config.grouped_tables:
        with located("embedding"):
            embedding, exponents = _grouped_table(model.embedding, start, stop)
        if model.head is None:
            return embedding, exponents, embedding, GroupedTable.units(exponents)
        with located("head"):
            head, head_exponents = _grouped_table(model.head, start, stop)
        return embedding, exponents, head, GroupedTable.units(head_exponents)
    with located("embedding"):
        values, exponents = embedding_rows(rows)
    if model.head is None:
        return values, exponents, *head_of_embedding(values, exponents)
    with located("head"):
        return values, exponents, *head_rows(model.head[start:stop])


def _grouped_table(table: FloatRows, start: int, stop: int) -> tuple[GroupedTable, np.ndarray]:
    if not isinstance(table, GroupedRows):
        raise ValueError("a model with grouped tables has another one")
    rows = table.parts(start, stop)
    mantissas, exponents = group_mantissas(rows.scales)
    return GroupedTable(pack_groups(rows.signs), mantissas), exponents.astype(np.int8)


def quantise_model(model: FloatModel, *, residual_max: float | None = None, progress: bool = False) -> Model:
    """`quantise_into` a model in memory."""
    builder = ModelBuilder(model.config)
    quantise_into(builder, model, residual_max=residual_max, progress=progress)
    return builder.model


def _layer(index: int, layer: FloatLayer) -> Layer:
    linears: dict[str, Matrix] = {}
    gains = {}
    for name, linear in layer.linears.items():
        with located(f"layer {index}, {name} scale"):
            if isinstance(linear, GroupedLinear):
                linears[name] = grouped_matrix(linear, matrix_bits(name))
                continue
            scale = scalar_words(np.array(linear.scale))[()]
        linears[name] = TernaryMatrix(pack_trits(linear.trits), linear.trits.shape[1], scale)
    for name, values in layer.gains.items():
        with located(f"layer {index}, {name} norm"):
            gains[name] = gain_vector(values)
    return Layer(linears, gains)


def matrix_bits(name: str) -> int:
    """Bits that the sums of one of `models.config.LINEARS` have behind their shift, at most."""
    return GATE_BITS if name in ("gate", "up") else ACCUMULATOR_BITS


def grouped_matrix(linear: GroupedLinear, bits: int) -> GroupedMatrix:
    """The integers of a matrix with scales by group. bits: that no sum of int8 activations exceeds."""
    mantissas, exponents = group_mantissas(linear.scales.reshape(1, -1))
    mantissas = mantissas.reshape(linear.scales.shape)
    shift = group_shift(linear.signs, mantissas, bits)
    return GroupedMatrix(pack_groups(linear.signs), mantissas, shift, scalar_words(np.ldexp(1.0, shift - exponents))[0])
