"""Sites are names; a misspelt one, or a point that a model lacks, is an error."""

import pytest

from host.pipeline.site import Point, Site, channels_of, check_point, points_of, site_named
from models.errors import OptionError
from models.golden.model import TapPoint
from tests.families import FAMILIES

CONFIG = FAMILIES["relu2 grouped heads"]


def test_a_site_is_its_name():
    assert f"{Site.DOWN}" == str(Site.DOWN) == Site.DOWN == "down"
    assert {Point(0, Site.DOWN): 1}[TapPoint(0, "down")] == 1
    assert [str(site) for site in Site] == ["attention_norm", "qkv", "o", "ffn_norm", "gate_up", "gate", "product",
                                            "down", "residual", "head"]


@pytest.mark.parametrize("name", ["donw", "", "Down", "ffn"])
def test_a_misspelt_site_is_named(name):
    for call in (lambda: site_named(name), lambda: check_point(Point(0, name), CONFIG), lambda: points_of(name, CONFIG),
                 lambda: channels_of(name, CONFIG)):
        with pytest.raises(OptionError, match=f"unknown site '{name}'; known: attention_norm, qkv, "):
            call()


@pytest.mark.parametrize("config", FAMILIES.values(), ids=list(FAMILIES))
def test_a_model_has_its_points_alone(config):
    for site in Site:
        points = points_of(site, config)
        assert len(points) == (1 if site == "head" else config.layers)
        for point in points:
            check_point(point, config)
    for point in (Point(config.layers, "down"), Point(-1, "qkv"), Point(0, "head"), Point(config.layers + 1, "head")):
        with pytest.raises(OptionError, match=f"no site {point.site} at layer {point.layer}: the model has it"):
            check_point(point, config)


def test_channels_are_those_of_the_rows():
    wide = {"o": CONFIG.heads * CONFIG.head_dim, **dict.fromkeys(("gate", "product", "down"), CONFIG.ffn_size)}
    assert {str(site): channels_of(site, CONFIG) for site in Site} == {
        str(site): wide.get(site, CONFIG.hidden_size) for site in Site}
