"""Clips before absmax: bounds by layer and by channel, massive channels left alone, the same bits in both places."""

from fractions import Fraction

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host import score
from host.devices.emulator import EmulatorDevice
from host.pipeline.artefact import save_artefact
from host.pipeline.loading import load_stages
from host.pipeline.placement import host_steps, place
from host.pipeline.resilience.proact import ProAct, lowest_bound
from host.pipeline.site import LINEAR_INPUTS, Point, Site
from host.pipeline.sparsity.teal import Teal
from host.runtime import Session
from models.dequantise import float_model
from models.errors import ArtefactError
from models.golden.scalar import Scalar
from models.machine.build import CPU
from models.model_hash import model_hash
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.test_commands import refused, run

CONFIG = FAMILIES["relu2 grouped heads"]


def tensors_of(config, *, zero=0.0, scale=1.0):
    rng = np.random.default_rng(3)
    tensors = {name: scale * rng.uniform(0.5, 1.5, shape) for name, shape in ProAct.shapes(config).items()}
    return tensors | {"massive": (np.arange(config.hidden_size) % 7 == 0).astype(float), "zero": np.array([zero])}


@pytest.fixture(scope="module")
def model():
    return synthetic_model(CONFIG, seed=1)


def scored(model, stages, where="auto"):
    placement = place(stages, model, where)
    session = Session(model, EmulatorDevice(CPU), taps=placement.taps, host_steps=host_steps(placement, model))
    return session.score([5, 7, 2]), placement


@pytest.mark.parametrize("zero", [0.0, 1.0])
@pytest.mark.parametrize("point", [Point(layer, site) for layer in (0, 1) for site in LINEAR_INPUTS])
def test_each_channel_has_its_bound(model, rng, point, zero):
    tensors = tensors_of(CONFIG, zero=zero)
    stage, unit = ProAct(tensors, 0.5), Scalar(np.full(4, 1 << 23), np.full(4, -20))
    x = rng.integers(-2**21, 2**21, (4, {"o": 96, "down": 160}.get(point.site, 96)))
    found = stage.apply(point, x, unit, model)
    last = tensors[f"last_{point.site}"] if point.layer else np.full(x.shape[1], tensors["bounds"][0][
        LINEAR_INPUTS.index(point.site)])
    free = tensors["massive"] > 0 if point.site in (Site.QKV, Site.GATE_UP) else np.zeros(x.shape[1], bool)
    assert (found[:, free] == x[:, free]).all()
    limit = np.array([float(Fraction(float(bound)) / 2 * 2**20) for bound in last])
    inside = np.abs(x) <= limit * (1 - 2.0**-15)
    assert (found[inside] == x[inside]).all()
    beyond = (np.abs(x) > limit * (1 + 2.0**-15)) & ~free
    assert beyond.any(axis=0).sum() > 10
    wanted = np.zeros_like(x) if zero else np.sign(x) * limit
    assert np.allclose(found[beyond], wanted[beyond], rtol=2.0**-14)


def test_the_fabric_clips_with_the_cpus_bits_and_zeroes_nothing(model):
    teal = Teal({"thresholds": np.full((CONFIG.layers, 4), 0.3)})
    clip, zeroing = (ProAct(tensors_of(CONFIG, zero=zero)) for zero in (0.0, 1.0))
    fabric, placement = scored(model, [teal, clip])
    assert not placement.cpu and len(placement.taps) == 4 * CONFIG.layers
    cpu, placement = scored(model, [teal, clip], "cpu")
    assert not placement.taps and (cpu == fabric).all()
    zeroed, placement = scored(model, [zeroing])
    assert not placement.taps and placement.cuts() == 4 * CONFIG.layers
    assert (zeroed != scored(model, [clip])[0]).any() and (fabric != scored(model, [teal])[0]).any()
    assert (scored(model, [ProAct(tensors_of(CONFIG, scale=2.0**30))])[0] == scored(model, [])[0]).all()


def test_a_bound_is_as_low_as_the_error_allows(model, rng):
    layer = float_model(model).layers[0]
    x, every = rng.standard_normal((400, CONFIG.hidden_size)), np.ones(CONFIG.hidden_size, bool)
    bounds = [lowest_bound(layer, Site.QKV, x, every, error) for error in (0, 1e-6, 1e-3, 1e-1)]
    assert bounds[0] == np.abs(x).max() and bounds == sorted(bounds, reverse=True) and len(set(bounds)) > 2
    weights = [layer.linears[name].trits.T * layer.linears[name].scale for name in "qkv"]
    cut = x - np.clip(x, -bounds[2], bounds[2])
    assert sum(np.square(cut @ w).sum() for w in weights) <= 1e-3 * sum(np.square(x @ w).sum() for w in weights)
    x[:, 3] *= 1000
    exempt = every & (np.arange(CONFIG.hidden_size) != 3)
    assert lowest_bound(layer, Site.QKV, x, exempt, 0) < 10 and lowest_bound(layer, Site.QKV, x * 0, every, 0) == 1


def test_it_is_fitted_and_costs_little(texts, capsys):
    artefact, text = texts / "clip", texts / "austen.txt"
    fitted = run(pipeline, "fit", "--kind", "resilience", "--method", "proact", "--text", text, "--tokens", 64,
                 "--factor", 5, "-o", artefact, "--json", capsys=capsys)
    assert fitted["fit"]["massive"] and fitted["tensors"]["massive"]["max"] == 1
    plain = run(score, "--text", text, "--json", capsys=capsys)
    found = run(score, "--text", text, "--stage", artefact, "--json", capsys=capsys)
    assert found["stages"][0]["runs"] == "fabric" and found["stages"][0]["points"] == 24
    assert plain["nll"] != found["nll"] == pytest.approx(plain["nll"], rel=0.05)


@pytest.mark.parametrize("option, message", [
    (("--error", 1), "--error must lie within 0 and 1"), (("--above", "none"), "--above must be bound or zero"),
    (("--tokens", 0), "--tokens must be at least 1"), (("--sparsity", 0.5), "--sparsity is no option of resilience")])
def test_bad_options_are_one_line(texts, capsys, option, message):
    assert message in refused(pipeline, "fit", "--kind", "resilience", "--method", "proact", "--text",
                              texts / "austen.txt", *option, "-o", texts / "x", capsys=capsys)


@pytest.mark.parametrize("change, strength, message", [
    ({"bounds": np.zeros((2, 4))}, "", "tensor bounds: expected bounds above 0, found 0.0"),
    ({"last_down": np.full(160, 1e30)}, "", "tensor last_down: expected magnitudes of 0, or 2"),
    ({"massive": np.full(96, 0.5)}, "", "tensor massive: expected 0 or 1, found 0.5"),
    ({"zero": np.array([np.nan])}, "", "tensor zero: expected finite numbers"),
    ({"last_o": np.ones(95)}, "", r"tensor last_o: expected F32 \[96\]"),
    ({}, ":0", "its strength must be above 0, got 0"), ({}, ":nan", "strength must be above 0, got nan")])
def test_a_wrong_artefact_is_refused(tmp_path, model, change, strength, message):
    path = tmp_path / "artefact"
    save_artefact(path, "resilience", "proact", ProAct.sites, tensors_of(CONFIG) | change, model=model_hash(model),
                  fit={})
    with pytest.raises(ArtefactError, match=message):
        load_stages(model, [f"{path}{strength}"])
