"""Leaving edges out between two layers of the emulator."""

from dataclasses import replace

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.audit.edge_ablation import EdgeAblation, strongest
from host.pipeline.audit.local_interaction import orthogonal_basis
from host.pipeline.observing import observe
from host.pipeline.site import Point, Site
from host.runtime import Session
from models.golden.head import LOGIT_FRACTION
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES

CONFIG = replace(FAMILIES["relu2 grouped heads"], layers=3)
IDS = [4, 8, 15, 16, 23, 42, 7, 99]


@pytest.fixture(scope="module")
def ablation():
    """A model, bases of the residual behind layers 0 and 1, and the passage begun."""
    model, random = synthetic_model(CONFIG, seed=2), np.random.default_rng(1)
    points = [Point(layer, Site.RESIDUAL) for layer in (0, 1)]
    seen = observe(model, EmulatorDevice(CPU), points, random.integers(0, 130, 60).tolist())
    turned = np.linalg.qr(random.standard_normal((96, 96)))[0]
    bases = orthogonal_basis(seen[points[0]], turned), orthogonal_basis(seen[points[1]])
    found = EdgeAblation(model, 0)
    return model, bases, found, found.begin(IDS)


def log_probabilities(values):
    return values - values.max() - np.log(np.exp(values - values.max()).sum())


def test_with_all_edges_it_is_the_intact_model(ablation):
    model, bases, found, intact = ablation
    logits = Session(model, EmulatorDevice(CPU)).score(IDS)[-1] / float(1 << LOGIT_FRACTION)
    assert np.allclose(intact, log_probabilities(logits))
    assert np.allclose(found.ablated(*bases, np.ones((96, 96), bool)), intact, atol=0.05)


def test_each_feature_sees_its_edges_alone(ablation):
    """Rows by hand: the layer on an input of which half of the features are at their mean, for half of the outputs."""
    model, bases, found, _ = ablation
    edges = np.ones((96, 96), bool)
    edges[:48, :40] = False
    states = observe(model, EmulatorDevice(CPU), [Point(0, Site.RESIDUAL), Point(1, Site.RESIDUAL)], IDS)
    before = states[Point(0, Site.RESIDUAL)]
    unit = 2.0**-model.residual_fraction_bits
    layer = Session(model, EmulatorDevice(CPU), layers=range(1, 2))
    rows = []
    for mask in (edges[0], edges[-1]):
        layer.reset()
        cut = np.concatenate([before[:-1], bases[0].states(bases[0].features(before[-1]) * mask)[None]])
        rows.append(layer.run_layers(np.rint(cut / unit).astype(np.int64), [(0, len(IDS))])[-1] * unit)
    mixed = np.concatenate([rows[0][:48], rows[1][48:]])
    rest = Session(model, EmulatorDevice(CPU), layers=range(2, 3))
    end = np.concatenate([states[Point(1, Site.RESIDUAL)][:-1], mixed[None]])
    rest.run_layers(np.rint(end / unit).astype(np.int64), [(0, len(IDS))], kind="score")
    expected = log_probabilities(rest.logits(len(IDS))[-1] / float(1 << LOGIT_FRACTION))
    assert np.allclose(found.ablated(*bases, edges), expected, atol=0.05)
    assert np.abs(expected - found.ablated(*bases, np.ones((96, 96), bool))).max() > 0.5


def test_the_strongest_edges_are_left():
    strengths = np.array([[3.0, 1.0], [0.5, 2.0]])
    assert np.array_equal(strongest(strengths, 0.5), [[True, False], [False, True]])
    assert strongest(strengths, 1).all() and not strongest(strengths, 0).any()
