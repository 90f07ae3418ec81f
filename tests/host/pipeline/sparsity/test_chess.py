"""CHESS: thresholds of activated gates as its formula has them, compared exactly, for either activation."""

from fractions import Fraction

import numpy as np
import pytest

from host.pipeline.site import Point, Site
from host.pipeline.sparsity.bounds import bounds
from host.pipeline.sparsity.chess import Chess
from host.pipeline.sparsity.gates import activated, gate_and_up
from models.errors import ArtefactError, OptionError
from models.golden.gated import gated_product
from models.golden.scalar import Scalar, to_float
from tests.families import FAMILIES
from tests.host.pipeline.sparsity.masks import fitted, model_of, seen

RELU2, SILU = "relu2 grouped heads", "silu full heads"
POINT = Point(1, Site.GATE)


def unit_of(rows):
    return Scalar(np.full(rows, 12345677), np.full(rows, -14))


def test_bounds_have_24_bits_each(rng):
    thresholds = np.ldexp(rng.random(50), rng.integers(-8, 8, 50))
    unit = unit_of(2)
    found = bounds(thresholds, unit)
    exact = np.array([float(Fraction(value) / Fraction(float(to_float(unit)[0]))) for value in thresholds])
    assert np.abs(found[1] - exact).max() < 0.51 + exact.max() * 2**-22 and (found[0] == found[1]).all()
    assert (bounds(np.array([0, 2.0**100]), unit)[0] == [0, 2**39 - 1]).all()


@pytest.mark.parametrize("family", [RELU2, SILU])
def test_a_neuron_goes_where_its_activated_gate_is_at_most_its_threshold(family, rng):
    model, config = model_of(family), FAMILIES[family]
    stage, unit = fitted("chess", family), unit_of(4)
    x = rng.integers(-9000, 9000, (4, config.ffn_size))
    found = stage.apply(POINT, x, unit, model)
    act = np.abs(activated(x * to_float(unit)[:, None], config.activation))
    thresholds = stage.gate[1]
    sure = np.abs(act - thresholds) > 1e-3 * (act + thresholds)  # the golden sigmoid is a table
    assert sure.mean() > 0.9 and (found == np.where(act <= thresholds, 0, x))[sure].all()
    assert 0 < (found == 0).mean() < 1
    product, _ = gated_product(found, unit, np.ones_like(x), unit, config.activation)
    assert not product[found == 0].any()


def test_silu_drops_on_both_sides_of_its_least_value():
    """|SiLU| is small near 0 and far below it, and large between."""
    model, ffn = model_of(SILU), FAMILIES[SILU].ffn_size
    stage = Chess({"gate": np.full((2, ffn), 0.2), "inputs": np.zeros((2, 2))})
    unit = Scalar(np.array([1 << 23]), np.array([-10]))
    x = np.tile([-10 << 10, -2 << 10, -1 << 10, -100, 100, 1 << 10], ffn)[None, :ffn]
    assert (stage.apply(POINT, x, unit, model)[0, :6] != 0).tolist() == [False, True, True, False, False, True]


def test_thresholds_are_the_formulas():
    twin, inputs = seen(SILU)
    gate, up = gate_and_up(twin.layers[0], inputs[0]["gate_up"])
    usual = np.abs(up).mean(axis=0)
    importance = np.abs(activated(gate, "silu")) * usual
    tensors = Chess.fit_layers(twin, inputs, [0.6, 0.6])
    assert np.allclose(tensors["gate"][0] * usual, np.quantile(importance, 0.6), rtol=1e-4)
    assert np.allclose(tensors["inputs"][1], [np.quantile(np.abs(inputs[1][site]), 0.6) for site in ("qkv", "o")])
    product = activated(gate, "silu") * up  # what the twin gives to its sub-norm
    shape = product / np.sqrt(np.square(product).mean(axis=1, keepdims=True) + twin.config.rms_eps)
    assert np.allclose(shape * twin.layers[0].gains["ffn_sub"], inputs[0]["down"], atol=1e-3)


def test_sites_may_be_chosen():
    twin, inputs = seen(SILU)
    stage = Chess(Chess.fit_layers(twin, inputs, [0.6, 0.6], sites="gate"))
    assert {point.site for point in stage.points(model_of(SILU))} == {"gate"} and not stage.inputs.any()
    with pytest.raises(OptionError, match="sparsity by chess acts at qkv, o, gate, not at down"):
        Chess.fit_layers(twin, inputs, [0.6, 0.6], sites="gate,down")


def test_the_highest_of_two_counts_and_what_makes_no_sense_is_refused():
    one, other = (fitted("chess", SILU, sparsity) for sparsity in (0.3, 0.6))
    [joined] = Chess.join([other, one])
    assert (joined.gate == other.gate).all() and (joined.inputs == other.inputs).all()
    for name in ("gate", "inputs"):
        with pytest.raises(ArtefactError, match=f"tensor {name}: expected none below 0"):
            Chess.load({**other.tensors, name: -other.tensors[name]})
