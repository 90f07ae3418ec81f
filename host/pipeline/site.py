"""Sites of a layer, where stages act and rows can be observed, and points: a site of one layer.

docs/pipeline.md draws where each lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from models.config import ModelConfig
from models.errors import OptionError
from models.golden.model import TapPoint as Point

__all__ = ["LINEAR_INPUTS", "NORM_GAINS", "RESIDUAL_SITES", "TAP_SITES", "Point", "RESIDUAL_INPUTS", "Site",
           "channels_of", "check_point", "points_of", "site_named"]


class Site(str, Enum):
    """A place in a layer's data flow, in its order; a site is its name. `HEAD` lies behind the last layer."""

    ATTENTION_NORM = "attention_norm"  # the residual before the norm
    QKV = "qkv"  # linear inputs: after their norm, before quantisation
    O = "o"  # noqa: E741  (the matrix' name)
    FFN_NORM = "ffn_norm"
    GATE_UP = "gate_up"
    GATE = "gate"  # its sums, before the activation
    PRODUCT = "product"  # after the activation, before the sub-norm
    DOWN = "down"
    RESIDUAL = "residual"  # after the layer
    HEAD = "head"

    def __str__(self) -> str:
        return self.value


LINEAR_INPUTS = (Site.QKV, Site.O, Site.GATE_UP, Site.DOWN)
RESIDUAL_INPUTS = (Site.QKV, Site.GATE_UP)
"""Linear inputs whose channels are the residual's."""

TAP_SITES = (*LINEAR_INPUTS, Site.RESIDUAL, Site.HEAD)
"""Where the fabric has a tap."""

RESIDUAL_SITES = (Site.ATTENTION_NORM, Site.FFN_NORM, Site.RESIDUAL)
"""Where rows are the residual's, in 32 bits."""


NORM_GAINS: Mapping[str, str] = {Site.ATTENTION_NORM: "input", Site.FFN_NORM: "post_attention"}
"""Whose gains a norm at a site takes."""


def channels_of(site: str, config: ModelConfig) -> int:
    """Channels of a row at a site."""
    wide = {Site.O: config.attention_size, Site.GATE: config.ffn_size, Site.PRODUCT: config.ffn_size,
            Site.DOWN: config.ffn_size}
    return wide.get(site_named(site), config.hidden_size)


def site_named(name: str) -> Site:
    """The site of this name; `OptionError` where it is misspelt."""
    try:
        return Site(name)
    except ValueError:
        raise OptionError(f"unknown site {str(name)!r}; known: {', '.join(Site)}") from None


def check_point(point: Point, config: ModelConfig) -> None:
    """`OptionError` unless a model of this shape has the point."""
    site, layer = site_named(point.site), point.layer
    first, last = (config.layers, config.layers) if site == Site.HEAD else (0, config.layers - 1)
    if not first <= layer <= last:
        where = f"only at layer {first}, behind the last" if site == Site.HEAD else f"at layers {first} to {last}"
        raise OptionError(f"there is no site {site} at layer {layer}: the model has it {where}")


def points_of(site: str, config: ModelConfig) -> list[Point]:
    """The points of a site, layer by layer."""
    layers = [config.layers] if site_named(site) == Site.HEAD else range(config.layers)
    return [Point(layer, site_named(site)) for layer in layers]
