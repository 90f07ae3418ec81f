"""What a layer does where only some edges between its input's features and its output's are left, on the emulator.

Each feature behind the layer is computed from an input in which features without an edge to it are at their mean; the
rows of the next layer are put together of these, and the rest of the model runs on them. So a layer runs once a
feature. Earlier tokens are the intact model's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from host.devices.emulator import EmulatorDevice
from host.pipeline.audit.local_interaction import Basis
from host.pipeline.observing import observe
from host.pipeline.site import Point, Site
from host.runtime import Session
from models.checkpoint import Model
from models.golden.head import LOGIT_FRACTION
from models.golden.residual import RESIDUAL_BITS
from models.golden.rounding import saturate
from models.machine.build import CPU
from models.machine.registers import SEQUENCES

__all__ = ["EdgeAblation", "strongest"]


class EdgeAblation:
    """The layer behind the residual of layer `layer`; another one must come behind it."""

    def __init__(self, model: Model, layer: int):
        self._model, self._layer = model, layer
        self._unit = 2.0**-model.residual_fraction_bits
        self._one = Session(model, EmulatorDevice(CPU), sequences=SEQUENCES, layers=range(layer + 1, layer + 2))
        self._rest = Session(model, EmulatorDevice(CPU), layers=range(layer + 2, model.config.layers))
        self._last, self._row = 0, np.zeros(0)

    def begin(self, ids: Sequence[int]) -> np.ndarray:
        """Another passage, at whose last token edges are left out. The intact log-probabilities, float64 [vocab]."""
        points = [Point(self._layer, Site.RESIDUAL), Point(self._layer + 1, Site.RESIDUAL)]
        seen = observe(self._model, EmulatorDevice(CPU), points, ids)
        before, behind = (seen[point] for point in points)
        self._last, self._row = len(ids) - 1, before[-1]
        for session in (self._one, self._rest):
            session.reset()
        for sequence in range(SEQUENCES):
            self._one.run_layers(self._integers(before[:-1]), [(sequence, self._last)])
        self._rest.run_layers(self._integers(behind[:-1]), [(0, self._last)])
        return self._log_probabilities(behind[-1])

    def ablated(self, basis: Basis, behind: Basis, edges: np.ndarray) -> np.ndarray:
        """Log-probabilities of the next token where `edges`, bool [features behind, features], alone are left."""
        kinds, of = np.unique(edges, axis=0, return_inverse=True)  # features with the same edges share a run
        rows = basis.states(basis.features(self._row) * kinds)
        found = np.concatenate([self._layer_of(rows[start:start + SEQUENCES])
                                for start in range(0, len(rows), SEQUENCES)])[of.ravel()]
        own = ((found - behind.centre) * behind.into).sum(axis=1)  # of each row the feature that it was made for
        return self._log_probabilities(behind.states(own))

    def _layer_of(self, rows: np.ndarray) -> np.ndarray:
        """Rows [at most SEQUENCES, hidden] behind the layer, each as the last token of the passage."""
        self._one.positions = [self._last] * SEQUENCES
        found = self._one.run_layers(self._integers(rows), [(sequence, 1) for sequence in range(len(rows))])
        assert found is not None
        return found * self._unit

    def _log_probabilities(self, row: np.ndarray) -> np.ndarray:
        self._rest.positions = [self._last]
        self._rest.run_layers(self._integers(row[None]), [(0, 1)], kind="score")
        values = self._rest.logits(1)[0] / float(1 << LOGIT_FRACTION)
        return values - values.max() - np.log(np.exp(values - values.max()).sum())

    def _integers(self, rows: np.ndarray) -> np.ndarray:
        return saturate(np.rint(rows / self._unit).astype(np.int64), RESIDUAL_BITS)


def strongest(strengths: np.ndarray, share: float) -> np.ndarray:
    """Which edges are left of [features behind, features], bool, where a share, 0 to 1, of all are: the strongest."""
    left = np.zeros(strengths.size, bool)
    left[np.argsort(-strengths, axis=None, kind="stable")[:round(share * strengths.size)]] = True
    return left.reshape(strengths.shape)
