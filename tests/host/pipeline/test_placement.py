"""Which points the fabric serves, which the CPU; the order of stages there; that bits do not depend on it."""

from dataclasses import replace

import numpy as np
import pytest

from host.pipeline.placement import host_steps, place
from host.pipeline.site import Point, Site, points_of
from host.pipeline.sparsity.teal import Teal
from host.pipeline.stage import Order, Stage
from host.pipeline.steering.difference_of_means import DifferenceOfMeans
from models.errors import ArtefactError, OptionError
from models.golden.norm_quant import norm_constants, norm_quant, normalise, quantise
from models.golden.residual import residual_add
from models.golden.scalar import Scalar, constant
from models.golden.tap import GAIN_ONE, neutral_tap
from models.synth import synthetic_model
from tests.families import FAMILIES

CONFIG = FAMILIES["relu2 grouped heads"]


class Made(Stage):
    """Clips or adds 1 at the residual, by a tap."""

    kind, method, order, sites = "sparsity", "made", Order.MASK, (Site.RESIDUAL,)

    @staticmethod
    def shapes(config):
        return {}

    def lower(self, point, model):
        value = np.full(CONFIG.hidden_size, 1)
        field = {Order.CLIP: "clip", Order.GAIN: "add", Order.MASK: "threshold"}[self.order]
        tap = neutral_tap(CONFIG.hidden_size)
        return replace(tap, **{field: value.astype(getattr(tap, field).dtype)})


def made(order, **attributes):
    return type(f"Made{order.name}", (Made,), {"method": order.name.lower(), "order": order} | attributes)({})


@pytest.fixture(scope="module")
def model():
    return synthetic_model(CONFIG, seed=1)


def test_a_gain_and_a_mask_share_a_tap_and_a_clip_before_them_does_not(model):
    point = Point(0, Site.RESIDUAL)
    both = place([made(Order.MASK), made(Order.GAIN)], model)
    assert not both.cpu and both.taps[point].add[0] == both.taps[point].threshold[0] == 1
    three = place([made(Order.MASK), made(Order.CLIP), made(Order.GAIN)], model)
    assert not three.taps
    assert [stage.method for stage in three.cpu[point]] == ["clip", "gain", "mask"]
    assert set(three.cpu) == set(points_of(Site.RESIDUAL, CONFIG)) and three.cuts() == CONFIG.layers
    assert three.where(list(three.cpu)) == "cpu" and both.where(list(both.taps)) == "fabric" and both.cuts() == 0


def test_where_may_be_forced(model):
    stage = made(Order.MASK)
    assert set(place([stage], model, "cpu").cpu) == set(place([stage], model, "fabric").taps)
    with pytest.raises(OptionError, match="cannot run sparsity by clip, sparsity by gain at layer 0, residual"):
        place([made(Order.CLIP), made(Order.GAIN)], model, "fabric")
    with pytest.raises(OptionError, match="unknown place 'here'; known: auto, fabric, cpu"):
        place([stage], model, "here")
    assert set(host_steps(place([stage], model, "cpu"), model).points) == set(place([stage], model, "cpu").cpu)


def test_a_site_without_a_tap_is_the_cpus(model):
    placement = place([made(Order.GAIN, sites=(Site.FFN_NORM, Site.RESIDUAL))], model)
    assert {point.site for point in placement.cpu} == {"ffn_norm"}
    assert {point.site for point in placement.taps} == {"residual"}
    assert placement.where([Point(0, Site.FFN_NORM), Point(0, Site.RESIDUAL)]) == "both"
    assert placement.where([]) == "nowhere"


def test_a_point_that_the_model_lacks_is_refused(model):
    with pytest.raises(OptionError, match=f"no site residual at layer {CONFIG.layers}"):
        place([made(Order.GAIN, points=lambda self, model: [Point(CONFIG.layers, "residual")])], model)
    with pytest.raises(OptionError, match="unknown site 'residul'"):
        place([made(Order.GAIN, points=lambda self, model: [Point(0, "residul")])], model)


def rows_of(random, channels, bits):
    x = random.integers(-2**bits, 2**bits, (6, channels))
    return x, Scalar(random.integers(1 << 23, 1 << 24, 6), random.integers(-22, -10, 6))


@pytest.mark.parametrize("site", ["qkv", "o", "gate_up", "down"])
def test_a_threshold_gives_the_same_bits_by_tap_and_by_cut(model, site):
    """As the fabric does it in a norm, and as the CPU does it between normalising and quantising."""
    random = np.random.default_rng(3)
    stage = Teal({"thresholds": random.uniform(0.1, 2, (CONFIG.layers, 4))}, 0.7)
    point = Point(1, site)
    tap = place([stage], model, "fabric").taps[point]
    x, unit = rows_of(random, tap.gain.size, 30)
    gains = random.integers(-32767, 32768, tap.gain.size).astype(np.int16)
    constants = norm_constants(tap.gain.size, 14, CONFIG.rms_eps)
    expected = norm_quant(x, unit, gains, constants, tap_parameters=tap)
    v, v_unit = normalise(x, unit, gains, constants)
    [acting] = place([stage], model, "cpu").cpu[point]
    found = quantise(acting.apply(point, v, v_unit, model), v_unit)
    plain = norm_quant(x, unit, gains, constants)
    assert (found[0] == expected[0]).all() and (found[1].m == expected[1].m).all() and (plain[0] != found[0]).any()


def test_a_vector_gives_the_same_bits_by_tap_and_by_cut(model):
    random = np.random.default_rng(4)
    stage = DifferenceOfMeans({"vectors": random.standard_normal((CONFIG.layers, CONFIG.hidden_size)) * 300}, -0.3)
    point, bits = Point(0, Site.RESIDUAL), model.residual_fraction_bits
    h = random.integers(-2**31, 2**31, (6, CONFIG.hidden_size))
    nothing, scale = np.zeros_like(h), constant(1)
    rows = Scalar(np.broadcast_to(scale.m, 6), np.broadcast_to(scale.e, 6))
    expected, _ = residual_add(h, nothing, rows, bits, place([stage], model).taps[point])
    unit = constant(2.0**-bits)
    [acting] = place([stage], model, "cpu").cpu[point]
    found = acting.apply(point, h, Scalar(np.broadcast_to(unit.m, 6), np.broadcast_to(unit.e, 6)), model)
    assert (found == expected).all() and np.abs(found).max() == 2**31 - 1  # it saturates as the residual does


def test_rows_of_a_product_are_wider_than_a_tap(model):
    """A gain at `product`, where values have up to 61 bits."""
    tripled = replace(neutral_tap(CONFIG.ffn_size), gain=np.full(CONFIG.ffn_size, 3 * GAIN_ONE, np.int16))
    stage = made(Order.GAIN, sites=(Site.PRODUCT,), lower=lambda self, point, model: tripled)
    x, unit = rows_of(np.random.default_rng(5), CONFIG.ffn_size, 59)
    found = stage.apply(Point(0, Site.PRODUCT), x, unit, model)
    assert np.abs(found - 3 * x).max() <= 3 * 2**21


def test_strengths_change_what_a_stage_does_and_zero_nothing(model):
    stage = DifferenceOfMeans({"vectors": np.ones((CONFIG.layers, CONFIG.hidden_size))})
    two, half = (place([stage.with_strength(s)], model).taps[Point(0, "residual")] for s in (2, 0.5))
    assert two.add_exponent == half.add_exponent + 2 and (two.add == half.add).all()
    assert not place([stage.with_strength(0)], model).taps[Point(0, "residual")].add.any()
    with pytest.raises(ArtefactError, match="must be finite"):
        stage.with_strength(float("nan"))
