"""A model's machine integers as floats again: the float twin of what a device runs."""

from __future__ import annotations

import numpy as np

from models.formats.source import FloatLayer, FloatLinear, FloatModel
from models.machine.scalar_format import unpack_words
from models.model import Gains, Model

__all__ = ["float_model"]


def float_model(model: Model) -> FloatModel:
    """The float model whose values are exactly the integers' (float32 holds them all but a head's products)."""
    layers = [FloatLayer({name: FloatLinear(matrix.trits(), float(_scalars(matrix.scale)))
                          for name, matrix in layer.linears.items()},
                         {name: _gains(gains) for name, gains in layer.gains.items()})
              for layer in model.layers]
    embedding = np.ldexp(model.embedding.astype(np.float32), -model.embedding_exponents.astype(np.int32)[:, None])
    head = None
    if not model.config.tied_head:
        head = (model.head * _scalars(model.head_scales)[:, None]).astype(np.float32)
    return FloatModel(model.config, embedding, head, _gains(model.final_gains), layers)


def _gains(gains: Gains) -> np.ndarray:
    mantissas, exponent = gains
    return np.ldexp(mantissas.astype(np.float32), -exponent)


def _scalars(words: np.ndarray) -> np.ndarray:
    m, e = unpack_words(words)
    return np.ldexp(m.astype(np.float64), e - 23)
