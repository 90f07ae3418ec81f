"""Masks fitted to small models on random tokens, for tests."""

from __future__ import annotations

from functools import cache

import numpy as np

from host.pipeline.sparsity.chess import Chess
from host.pipeline.sparsity.fitted_mask import layer_inputs
from host.pipeline.sparsity.fixed_random import FixedRandom
from host.pipeline.sparsity.oracle import Oracle
from host.pipeline.sparsity.random_per_token import RandomPerToken
from host.pipeline.sparsity.spark import Spark
from host.pipeline.sparsity.tau_gate import TauGate
from host.pipeline.sparsity.teal import Teal
from host.pipeline.sparsity.top_k import TopK
from host.pipeline.sparsity.wina import Wina
from models.dequantise import float_model
from models.synth import synthetic_model
from tests.families import FAMILIES

__all__ = ["METHODS", "fitted", "model_of", "seen"]

METHODS = {cls.method: cls for cls in (Chess, FixedRandom, Oracle, RandomPerToken, Spark, TauGate, Teal, TopK, Wina)}


@cache
def model_of(family):
    """The synthetic model of a family."""
    return synthetic_model(FAMILIES[family], seed=1)


@cache
def seen(family):
    """Its float twin and the inputs of its linear layers on 60 random tokens."""
    twin = float_model(model_of(family))
    ids = np.random.default_rng(7).integers(0, twin.config.vocab_size, 60)
    return twin, layer_inputs(twin, ids)


def fitted(method, family, sparsity=0.7, **options):
    """A stage of a method fitted to a family's model, as an artefact of it would hold it."""
    cls, (twin, inputs) = METHODS[method], seen(family)
    tensors = cls.fit_layers(twin, inputs, [sparsity] * len(inputs), **options)
    assert {name: array.shape for name, array in tensors.items()} == cls.shapes(twin.config)
    return cls.load({name: array.astype(np.float32).astype(np.float64) for name, array in tensors.items()})
