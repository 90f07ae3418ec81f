"""A model's machine integers as floats again: the float twin of what a device runs."""

from __future__ import annotations

import numpy as np

from models.formats.source import FloatLayer, FloatLinear, FloatModel, FloatRows, GroupedLinear, GroupedRows
from models.machine.scalar_format import unpack_words
from models.model import Gains, GroupedMatrix, GroupedTable, Matrix, Model
from models.ternary_groups import unpack_groups

__all__ = ["float_model"]


def float_model(model: Model) -> FloatModel:
    """The float model whose values are exactly the integers' (float32 holds them all but a head's products)."""
    layers = [FloatLayer({name: _linear(matrix) for name, matrix in layer.linears.items()},
                         {name: _gains(gains) for name, gains in layer.gains.items()})
              for layer in model.layers]
    head: FloatRows | None = None
    if isinstance(model.embedding, GroupedTable):
        units = np.ldexp(1.0, -model.embedding_exponents.astype(np.int32))
        embedding: FloatRows = _table(model.embedding, units)
    else:
        embedding = np.ldexp(model.embedding.astype(np.float32), -model.embedding_exponents.astype(np.int32)[:, None])
    if isinstance(model.head, GroupedTable):
        head = None if model.config.tied_head else _table(model.head, _scalars(model.head_scales))
    elif not model.config.tied_head:
        head = (model.head * _scalars(model.head_scales)[:, None]).astype(np.float32)
    return FloatModel(model.config, embedding, head, _gains(model.final_gains), layers)


def _linear(matrix: Matrix) -> FloatLinear | GroupedLinear:
    if not isinstance(matrix, GroupedMatrix):
        return FloatLinear(matrix.trits(), float(_scalars(matrix.scale)))
    unit = np.ldexp(float(_scalars(matrix.unit)), -matrix.shift)
    return GroupedLinear(matrix.signs(), (matrix.mantissas * unit).astype(np.float32))


def _table(table: GroupedTable, units: np.ndarray) -> GroupedRows:
    def parts(start: int, stop: int) -> GroupedLinear:
        scales = table.mantissas[start:stop] * units[start:stop, None]
        return GroupedLinear(unpack_groups(table.packed[start:stop]), scales.astype(np.float32))

    return GroupedRows(table.shape, parts)


def _gains(gains: Gains) -> np.ndarray:
    mantissas, exponent = gains
    return np.ldexp(mantissas.astype(np.float32), -exponent)


def _scalars(words: np.ndarray) -> np.ndarray:
    m, e = unpack_words(words)
    return np.ldexp(m.astype(np.float64), e - 23)
