"""What tells one model from another of the same shape: a hash of everything that its numbers depend on."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from models.config import NORMS
from models.model import Gains, GroupedMatrix, GroupedTable, Model

__all__ = ["model_hash"]

_SHAPE = ("vocab_size", "hidden_size", "ffn_size", "layers", "heads", "kv_heads", "head_dim", "activation", "sub_norms",
          "tied_head", "rope_theta", "rms_eps")


def model_hash(model: Model) -> str:
    """SHA-256, in hex, of a model's integers: every matrix, scale, gain and row of the vocabulary, the residual's scale
    and the shape.

    A copy of the folder has the same one, and so has another conversion of the same source; a single other trit gives
    another. Names, provenance, tokenizer, start and end tokens and the context are not in it: no logit depends on them.
    All weights are read, which takes 2B-4T about a second.
    """
    shape = [getattr(model.config, name) for name in _SHAPE]
    if model.config.norm != NORMS[0]:  # a hash of old stays
        shape.append(model.config.norm)
    shape += [name for name in ("qk_norm", "grouped", "grouped_tables") if getattr(model.config, name)]
    total = hashlib.sha256(json.dumps([*shape, model.residual_fraction_bits]).encode())

    def add(array: np.ndarray) -> None:
        total.update(np.ascontiguousarray(array).data)

    def add_gains(gains: Gains) -> None:
        add(gains[0])
        total.update(str(gains[1]).encode())

    for layer in model.layers:
        for matrix in layer.linears.values():
            add(matrix.packed)
            add(np.uint32(matrix.unit))
            if isinstance(matrix, GroupedMatrix):
                add(matrix.mantissas)
                add(np.uint8(matrix.shift))
        for gains in layer.gains.values():
            add_gains(gains)
    add_gains(model.final_gains)
    for table in (model.embedding, model.embedding_exponents, model.head, model.head_scales):
        if isinstance(table, GroupedTable):
            add(table.packed)
            add(table.mantissas)
        else:
            add(table)
    return total.hexdigest()
