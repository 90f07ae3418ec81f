"""What masks that are fitted to a text share: a share of zeros to reach, the text, and the sites at which they act.

A mask is fitted layer by layer, on the inputs of the float twin's linear layers.
"""

from __future__ import annotations

import math
import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from tqdm import tqdm

from host.pipeline.fitting import COMMON_OPTIONS, FitOption, Fitted
from host.pipeline.observing import linear_inputs
from host.pipeline.site import Site, site_named
from host.pipeline.sparsity.calibration import to_cett, to_perplexity
from host.pipeline.stage import Order, Stage
from host.pipeline.texts import text_ids
from models.checkpoint import Model
from models.config import ModelConfig
from models.dequantise import float_model
from models.errors import ArtefactError, OptionError
from models.float_twin import FloatStream
from models.formats.source import FloatLayer, FloatModel

__all__ = ["MASK_OPTIONS", "SPARSITY", "FittedMask", "LayerFits", "LayerInputs", "check_strength", "chosen_sites",
           "layer_inputs", "sites_option"]

_RESIDUALS = 256  # tokens, of the first window


class LayerInputs(dict[str, np.ndarray]):
    """Of one layer, by site ("qkv", "o", "gate_up", "down"): float [tokens, channels], before quantisation.

    residual: [tokens, hidden], the stream in front of the layer, of the first 256 tokens at most. memo: what was
    computed from all of these, by a name; fits for other shares of zeros need the same.
    """

    def __init__(self, inputs: Mapping[str, np.ndarray], residual: np.ndarray):
        super().__init__(inputs)
        self.residual = residual
        self.memo: dict[tuple[str, str], np.ndarray] = {}



SPARSITY = FitOption(float, 0.5, "share of zeros")
MASK_OPTIONS: Mapping[str, FitOption] = MappingProxyType({
    **COMMON_OPTIONS,
    "cett": FitOption(float, None, "instead of a share: the CETT that each layer may reach"),
    "ppl": FitOption(float, None, "instead of a share: percents that perplexity on the text may rise")})
"""What all masks take beside their share of zeros."""


class FittedMask(Stage):
    """A mask with a share of zeros as its one setting, `--sparsity`."""

    kind, order = "sparsity", Order.MASK
    options = {"sparsity": SPARSITY, **MASK_OPTIONS}

    @classmethod
    def most(cls, options: Mapping[str, object]) -> float:
        """The share of zeros must lie below. options: as `fit_layer` has them."""
        return 1.0

    @classmethod
    @abstractmethod
    def fit_layer(cls, layer: FloatLayer, inputs: LayerInputs, sparsity: float, config: ModelConfig,
                  options: Mapping[str, object]) -> dict[str, np.ndarray]:
        """A layer's part of each tensor of `shapes`. options: those of `fit` beside sparsity, text and tokens."""

    @classmethod
    def fit_layers(cls, twin: FloatModel, inputs: Sequence[LayerInputs], sparsities: Sequence[float],
                   **options: object) -> dict[str, np.ndarray]:
        """The tensors, with a share of zeros for each layer; `OptionError` for one that makes no sense."""
        for sparsity in sparsities:
            if not 0 < sparsity < cls.most(options):
                raise OptionError(f"sparsity must lie between 0 and {cls.most(options):g}, got {sparsity}")
        layers = tqdm(twin.layers, cls.method, unit="layer", file=sys.stderr, disable=not sys.stderr.isatty())
        parts = [cls.fit_layer(*of_layer, twin.config, options)
                 for of_layer in zip(layers, inputs, sparsities, strict=True)]
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}

    @classmethod
    def fit(cls, model: Model, *, sparsity: float, text: Path,  # type: ignore[override]  # `options` by name
            tokens: int, cett: float | None = None, ppl: float | None = None, **options: object) -> Fitted:
        """See `Stage`."""
        if tokens < 1:
            raise OptionError(f"--tokens must be at least 1, got {tokens}")
        for name, target in (("cett", cett), ("ppl", ppl)):
            if target is not None and not 0 < target < math.inf:
                raise OptionError(f"--{name} must be above 0, got {target}")
        if cett is not None and ppl is not None:
            raise OptionError("--cett and --ppl are two ways to choose one setting: give one of them")
        if not 0 < sparsity < cls.most(options):  # before the text is read
            raise OptionError(f"sparsity must lie between 0 and {cls.most(options):g}, got {sparsity}")
        ids = text_ids(model, text)[:tokens]
        details: dict[str, object] = {"tokens": len(ids)}
        fits = cls.fits(model, ids, **options)
        if cett is None and ppl is None:
            return Fitted(fits([sparsity] * model.config.layers).tensors, details)
        found = to_cett(fits, model, ids, cett) if cett is not None else to_perplexity(fits, model, ids, ppl or 0)
        return Fitted(found.stage.tensors, details | {"sparsity": found.sparsities, "reached": found.found})

    @classmethod
    def fits(cls, model: Model, ids: Sequence[int], **options: object) -> LayerFits:
        """The method on a text that is looked at once: called with a share of zeros for each layer it gives a stage."""
        twin = float_model(model)
        return LayerFits(cls, twin, layer_inputs(twin, ids), options)


class LayerFits:
    """A method's stages for shares of zeros, as an artefact would hold them. See `host.pipeline.sparsity.calibration`.
    """

    def __init__(self, cls: type[FittedMask], twin: FloatModel, inputs: Sequence[LayerInputs],
                 options: Mapping[str, object]):
        self.method, self.most, self._twin, self._inputs, self._options = cls, cls.most(options), twin, inputs, options

    def __call__(self, sparsities: Sequence[float]) -> Stage:
        tensors = self.method.fit_layers(self._twin, self._inputs, sparsities, **self._options)
        return self.method.load({name: array.astype(np.float32).astype(np.float64) for name, array in tensors.items()})


def layer_inputs(twin: FloatModel, ids: Sequence[int]) -> list[LayerInputs]:
    """What masks are fitted on: the inputs of the float twin's linear layers on a text, and its residual."""
    inputs, residuals = linear_inputs(twin, np.array(ids)), []
    stream = FloatStream(twin, np.array(ids[:min(_RESIDUALS, twin.config.context)]))
    for layer in twin.layers:
        residuals.append(stream.h)
        stream.layer(layer)
    return [LayerInputs(*of_layer) for of_layer in zip(inputs, residuals, strict=True)]


def sites_option(sites: Sequence[Site]) -> FitOption:
    """The option of a method that may act at some of its sites."""
    return FitOption(str, ",".join(sites), "sites, with commas between")


def chosen_sites(cls: type[Stage], options: Mapping[str, object]) -> list[Site]:
    """Those that the option `sites` names, in the order of the method's own; all of them without it."""
    if "sites" not in options:
        return list(cls.sites)
    named = [site_named(name) for name in str(options["sites"]).split(",")]
    for site in named:
        if site not in cls.sites:
            raise OptionError(f"{cls.kind} by {cls.method} acts at {', '.join(cls.sites)}, not at {site}")
    return [site for site in cls.sites if site in named]


def check_strength(name: str, values: np.ndarray, strength: float) -> None:
    """`ArtefactError` for a tensor `name` with values below 0, or a strength below 0 that scales it."""
    if (values < 0).any():
        raise ArtefactError(f"tensor {name}: expected none below 0, found {values.min()}")
    if strength < 0:
        raise ArtefactError(f"tensor {name}: its strength must not be negative, got {strength}")
