"""Steering by a vector: h += strength * v after a layer, v the difference of the residual's means over two texts.

Strength 0 changes no bit. Source: difference of means (Physics Steering's delta): v = mean(h over A) - mean(h over B).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.fitting import REQUIRED, FitOption, Fitted
from host.pipeline.mantissas import check_magnitudes, to_mantissas
from host.pipeline.observing import SKIPPED, residuals
from host.pipeline.site import Point, Site
from host.pipeline.stage import Order, Stage
from host.pipeline.texts import spread, text_ids
from models.checkpoint import Model
from models.config import ModelConfig
from models.errors import OptionError, printable
from models.golden.tap import Tap, neutral_tap
from models.machine.build import CPU

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["DifferenceOfMeans", "chosen_layers", "difference_of_means"]


class DifferenceOfMeans(Stage):
    """vectors: float [layers, hidden], added to the residual stream after each layer, times strength."""

    kind, method, order, sites = "steering", "difference-of-means", Order.GAIN, (Site.RESIDUAL,)
    options = {"toward": FitOption(Path, REQUIRED, "text in the wanted manner"),
               "away": FitOption(Path, REQUIRED, "text in the other manner"),
               "layers": FitOption(str, None, "layers to steer, with commas between (else the middle third)"),
               "tokens": FitOption(int, 8192, "tokens of each text to use")}

    def __init__(self, tensors: Mapping[str, np.ndarray], strength: float = 1.0):
        super().__init__(tensors, strength)
        self.added = self.tensors["vectors"] * strength
        self.layers = {layer for layer, vector in enumerate(self.tensors["vectors"]) if vector.any()}

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return {"vectors": (config.layers, config.hidden_size)}

    @classmethod
    def fit(cls, model: Model, *, toward: Path, away: Path,  # type: ignore[override]  # `options` by name
            layers: str | None, tokens: int) -> Fitted:
        """See `Stage`. The residual is that of the emulator."""
        if tokens <= 2 * SKIPPED:
            raise OptionError(f"--tokens must be more than {2 * SKIPPED}, got {tokens}")
        chosen = chosen_layers(layers, model.config.layers)
        sides = []
        for path in (toward, away):
            ids = spread(text_ids(model, path), tokens, model.config.context)
            if len(ids) <= 2 * SKIPPED:
                raise OptionError(f"{path} is too short to fit a vector: {len(ids)} tokens")
            sides.append(residuals(model, EmulatorDevice(CPU), ids, description=printable(path.name)))
        vectors = difference_of_means(sides[0], sides[1], chosen)
        if not vectors.any():
            raise OptionError(f"{toward} and {away} do not differ at layers {chosen}: there is no vector from one to "
                              "the other")
        return Fitted({"vectors": vectors}, {"layers": chosen})

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> DifferenceOfMeans:
        """See `Stage`; strength may be negative."""
        check_magnitudes("vectors", np.abs(tensors["vectors"]).max(axis=1), strength)
        return cls(tensors, strength)

    @classmethod
    def join(cls, stages: Sequence[Self]) -> list[Stage]:
        """The sum of the vectors, each times its strength, rounded once."""
        first, *others = stages
        added = first.added
        for stage in others:
            added = added + stage.added
        joined = cls({"vectors": added})
        joined.layers = first.layers.union(*(stage.layers for stage in others))
        return [joined]

    def points(self, model: Model) -> list[Point]:
        return [Point(layer, Site.RESIDUAL) for layer in sorted(self.layers)]

    def lower(self, point: Point, model: Model) -> Tap:
        mantissas, exponent = to_mantissas(self.added[point.layer], 32767)
        return replace(neutral_tap(model.config.hidden_size), add=mantissas.astype(np.int16), add_exponent=exponent)


def difference_of_means(toward: np.ndarray, away: np.ndarray, layers: Sequence[int]) -> np.ndarray:
    """Vectors float [layers, hidden] from residuals [layers, tokens, hidden]: mean difference at `layers`, else zero.

    Scaled so that strength 1 adds the median norm of the residual stream, its ten largest channels
    (massive activations) left out, shared over the steered layers.
    """
    vectors = np.zeros(toward.shape[::2])
    for layer in layers:
        difference = toward[layer].mean(axis=0) - away[layer].mean(axis=0)
        both = np.concatenate([toward[layer], away[layer]])
        usual = np.argsort(np.abs(both).mean(axis=0))[:-10]
        norm = float(np.median(np.linalg.norm(both[:, usual], axis=1)))
        length = float(np.linalg.norm(difference))
        if length:
            vectors[layer] = difference / length * norm / len(layers)
    return vectors


def chosen_layers(option: str | None, count: int) -> list[int]:
    """The layers that `--layers` names, or the default of a model of `count` layers."""
    if option is None:
        return list(range(count // 3, max(count // 3 + 1, 2 * count // 3)))
    try:
        layers = sorted({int(part) for part in option.split(",")})
    except ValueError:
        raise OptionError(f"--layers takes numbers separated by commas, got {option!r}") from None
    if layers[0] < 0 or layers[-1] >= count:
        raise OptionError(f"--layers must lie within 0 .. {count - 1}, got {option}")
    return layers
