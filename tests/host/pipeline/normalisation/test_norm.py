"""A norm is chosen: RMSNorm is the fabric's and the default, any other takes the residual's rows at a cut."""

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.pipeline.normalisation.rmsnorm import RMSNorm
from host.pipeline.placement import host_steps, place
from host.pipeline.site import Point, Site, points_of
from host.pipeline.sparsity.teal import Teal
from host.runtime import Session
from models.errors import ArtefactError, OptionError
from models.golden.model import GoldenModel
from models.golden.norm_quant import norm_constants, norm_quant, quantise
from models.golden.scalar import Scalar, constant, to_float
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.pipeline.layer_norm import LayerNorm

CONFIG = FAMILIES["relu2 grouped heads"]
POINT = Point(1, Site.ATTENTION_NORM)


@pytest.fixture(scope="module")
def model():
    return synthetic_model(CONFIG, seed=1)


@pytest.fixture
def rows(model, rng):
    """Residual rows and their unit."""
    unit = constant(2.0**-model.residual_fraction_bits)
    return (rng.integers(-2**22, 2**22, (5, CONFIG.hidden_size)) + 2**21,
            Scalar(np.broadcast_to(unit.m, 5), np.broadcast_to(unit.e, 5)))


def test_rmsnorm_is_the_golden_models(model, rows):
    gains = model.layers[1].gains["input"]
    found = quantise(*RMSNorm().normalise(POINT, *rows, gains, model))
    expected = norm_quant(*rows, gains[0], norm_constants(CONFIG.hidden_size, gains[1], CONFIG.rms_eps))
    assert (found[0] == expected[0]).all() and (found[1].m == expected[1].m).all()
    assert (found[1].e == expected[1].e).all()


def test_layer_norm_is_another(model, rows):
    gains = model.layers[1].gains["input"]
    v, unit = LayerNorm({}).normalise(POINT, *rows, gains, model)
    x = rows[0] * to_float(rows[1])[:, None]
    centred = x - x.mean(axis=1, keepdims=True)
    wanted = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + CONFIG.rms_eps) * (gains[0] / 2.0**gains[1])
    assert np.allclose(v * to_float(unit)[:, None], wanted, atol=1e-4 * np.abs(wanted).max())
    assert np.abs(v).max() < 2**39
    same = quantise(*RMSNorm().normalise(POINT, *rows, gains, model))[0]
    assert (quantise(v, unit)[0] != same).any()


def test_the_fabrics_norm_needs_no_cut_and_another_takes_what_follows_along(model):
    threshold = Teal({"thresholds": np.ones((CONFIG.layers, 4))})
    assert place([RMSNorm()], model) == ({}, {}, CONFIG.layers)
    assert place([RMSNorm(), threshold], model, "cpu").cpu.keys() == place([threshold], model).taps.keys()
    placement = place([threshold, LayerNorm({})], model)
    norms = {point for site in (Site.ATTENTION_NORM, Site.FFN_NORM) for point in points_of(site, CONFIG)}
    inputs = {point for site in (Site.QKV, Site.GATE_UP) for point in points_of(site, CONFIG)}
    assert set(placement.cpu) == norms | inputs
    assert {point.site for point in placement.taps} == {"o", "down"}
    assert placement.cuts() == placement.cuts(norms) == len(norms) == placement.cuts(inputs)
    with pytest.raises(OptionError, match="cannot run normalisation by layer-norm at layer 0, attention_norm"):
        place([LayerNorm({})], model, "fabric")
    steps = host_steps(placement, model)
    assert set(steps.points) == norms | inputs
    ids = np.random.default_rng(2).integers(0, CONFIG.vocab_size, 7).tolist()
    plain = Session(model, EmulatorDevice(CPU)).score(ids)
    golden = GoldenModel(model, taps=placement.taps, stages=steps.acting.stages, norms=steps.acting.norms)
    expected = np.stack([golden.step(token) for token in ids])
    found = Session(model, EmulatorDevice(CPU), taps=placement.taps, host_steps=steps).score(ids)
    assert (found == expected).all() and (found != plain).any()


def test_two_norms_at_one_place_are_refused(model):
    with pytest.raises(ArtefactError, match="two norms at layer 0, attention_norm: use one of them"):
        place([RMSNorm(), LayerNorm({})], model)


def test_a_norm_has_no_unit_to_stay_in(model, rows):
    with pytest.raises(TypeError, match="LayerNorm normalises"):
        LayerNorm({}).apply(POINT, *rows, model)
