"""Weights made again from a device's integers give the device's own attention output, in every family."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.heads.attention_weights import AttentionReader
from host.pipeline.observing import observe
from host.pipeline.site import Point, Site
from host.runtime import Session
from models.golden.scalar import from_word, to_float
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_weighted_values_are_what_the_output_matrix_gets(family):
    """Behind the sub-norm, whose scale is taken out: to the 2**-24 of the device's own weighted sum and norm."""
    config = FAMILIES[family]
    model = synthetic_model(config, seed=3)
    ids = np.random.default_rng(1).integers(0, config.vocab_size, 37).tolist()  # more than one pass
    found = AttentionReader(model, EmulatorDevice(CPU))(ids)
    assert np.allclose(found.weights.sum(axis=-1), 1) and not np.triu(found.weights, 1).any()
    session = Session(model, EmulatorDevice(CPU))
    session.feed(ids)
    group = config.heads // config.kv_heads
    for layer in range(config.layers):
        cache = session.cache(layer)
        values = cache["values"] * to_float(from_word(cache["value_scales"]))[..., None]
        out = (found.weights[layer] @ np.repeat(values, group, axis=0)).swapaxes(0, 1).reshape(len(ids), -1)
        mantissas, exponent = model.layers[layer].gains.get("attn_sub", (np.ones(out.shape[1]), 0))
        expected = out * np.ldexp(mantissas.astype(float), -exponent)
        point = Point(layer, Site.O)
        seen = observe(model, EmulatorDevice(CPU), [point], ids)[point]
        scales = (seen * expected).sum(axis=1) / np.square(expected).sum(axis=1)
        if "attn_sub" not in model.layers[layer].gains:
            assert scales == pytest.approx(1, abs=1e-5)
        assert np.abs(seen - expected * scales[:, None]).max() < 1e-5 * np.abs(seen).max()


def test_a_second_sequence_forgets_the_first():
    config = FAMILIES["llama plain"]
    model = synthetic_model(config, seed=3)
    reader = AttentionReader(model, EmulatorDevice(CPU))
    first = reader([1, 2, 3, 4])
    reader([9, 8, 7])
    again = reader([1, 2, 3, 4])
    assert (first.weights == again.weights).all() and (first.inputs == again.inputs).all()
