"""What fitting takes and gives: options of a method, the tensors that come out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

__all__ = ["COMMON_OPTIONS", "REQUIRED", "FitOption", "Fitted"]

REQUIRED = object()
"""Default of an option that must be given."""


class FitOption(NamedTuple):
    """An option of a method's `fit`: `type` makes the value of what the user writes; `list` for one that may be given
    several times, as strings. `help` has no default in it."""

    type: type
    default: object
    help: str


COMMON_OPTIONS: Mapping[str, FitOption] = MappingProxyType({
    "text": FitOption(Path, REQUIRED, "text to fit on"),
    "tokens": FitOption(int, 4096, "tokens of it to use")})
"""Those of a method that names no others."""


class Fitted(NamedTuple):
    """tensors: those of `Stage.shapes`. details: what the options do not say of how and on what it was fitted, ready
    for JSON; the artefact keeps both."""

    tensors: Mapping[str, np.ndarray]
    details: Mapping[str, object] = MappingProxyType({})
