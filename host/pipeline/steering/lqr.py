"""Steering in a closed loop: after a layer h += (beta - v·h) k, so that a push that worked is not pushed again.

v is the direction from one manner's mean to the other's, beta how far along it h should lie, k the gains of a
linear-quadratic regulator. Source: A-LQR, "Local Linearity of LLMs Enables Activation Steering via Model-Based Linear
Optimal Control".

Strength 1 sets beta to the mean of the wanted manner and -1 to that of the other, at each layer; beyond, it goes on as
far in proportion. Within 1 the gains shrink with the strength, so that 0 changes no bit and nothing jumps there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from host.pipeline.fitting import FitOption, Fitted
from host.pipeline.mantissas import check_magnitudes, to_mantissas
from host.pipeline.site import Point, Site
from host.pipeline.steering.contrast import CONTRAST_OPTIONS, Contrast, ContrastFit
from host.pipeline.steering.regulator import regulator_gains
from models.checkpoint import Model
from models.config import ModelConfig
from models.errors import ArtefactError, OptionError
from models.golden.closed_loop import LOOP_CHANNELS, SETPOINT_BITS, ClosedLoop, closed_loop
from models.golden.scalar import Scalar
from models.machine.descriptor import Loop

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LQR", "passages_of"]

PASSAGE = 64
"""Tokens of a passage at whose last one a Jacobian is taken."""

_Q, _R, _Q_F, _PASSAGES = 10.0, 10.0, 1.0, 16
_SETPOINT_MAX = (1 << (SETPOINT_BITS - 1)) - 1


class LQR(ContrastFit):
    """directions v and gains k, float [layers, hidden]: zeros where the loop does not act. centres [layers, hidden]:
    the residual halfway between the manners' means; setpoints [layers, 1]: how far from v·centre the setpoint lies at
    strength 1. short [1]: 1 where the loop acts only while v·h falls short of the setpoint, 0 where always.
    """

    method = "lqr"
    options = {**CONTRAST_OPTIONS,
               "q": FitOption(float, _Q, "what a distance from the setpoint costs behind a layer"),
               "r": FitOption(float, _R, "what the loop's addition costs"),
               "q_f": FitOption(float, _Q_F, "what a distance from the setpoint costs behind the last layer"),
               "passages": FitOption(int, _PASSAGES, f"passages of {PASSAGE} tokens, half of each text, that Jacobians "
                                                     "are averaged over"),
               "short": FitOption(int, 0, "1: act only while the residual falls short of the setpoint")}

    @staticmethod
    def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        wide = (config.layers, config.hidden_size)
        return {"directions": wide, "gains": wide, "centres": wide, "setpoints": (config.layers, 1), "short": (1,)}

    @classmethod
    def fit_contrast(cls, contrast: Contrast, layers: Sequence[int],  # type: ignore[override]  # `options` by name
                     *, q: float = _Q, r: float = _R, q_f: float = _Q_F, passages: int = _PASSAGES, short: int = 0
                     ) -> Fitted:
        """See `ContrastFit`. PyTorch is needed. Details: "closed", the share of the distance that a loop closes where
        it acts, v·k, layer by layer."""
        from models.train.jacobians import mean_jacobians  # late: the rest needs no PyTorch

        for name, value in (("q", q), ("r", r), ("q_f", q_f)):
            if not 0 < value < math.inf:
                raise OptionError(f"--{name} must be positive, got {value}")
        if short not in (0, 1):
            raise OptionError(f"--short must be 0 or 1, got {short}")
        slopes = mean_jacobians(contrast.model, passages_of(contrast, passages))
        return cls.regulated(contrast, slopes, layers, q=q, r=r, q_f=q_f, short=short)

    @classmethod
    def regulated(cls, contrast: Contrast, slopes: np.ndarray, layers: Sequence[int], *, q: float = _Q, r: float = _R,
                  q_f: float = _Q_F, short: int = 0) -> Fitted:
        """What `fit_contrast` gives for these Jacobians, [layers - 1, hidden, hidden]. `OptionError` where the manners'
        means are the same."""
        toward, away = (states.mean(axis=1) for states in contrast.states)
        directions = np.zeros_like(toward)
        for layer in layers:
            if length := float(np.linalg.norm(toward[layer] - away[layer])):
                directions[layer] = (toward[layer] - away[layer]) / length
        if not directions.any():
            raise OptionError(f"{' and '.join(contrast.names)} do not differ at layers {list(layers)}: there is no "
                              "direction from one to the other")
        gains = regulator_gains(slopes, directions, layers, q=q, r=r, q_f=q_f)
        half = ((toward - away) * directions).sum(axis=1, keepdims=True) / 2
        tensors = {"directions": directions, "gains": gains, "centres": (toward + away) / 2, "setpoints": half,
                   "short": np.array([float(short)])}
        return Fitted(tensors, {"closed": (gains * directions).sum(axis=1).round(4).tolist()})

    @classmethod
    def default_layers(cls, count: int) -> Sequence[int]:
        """All: the regulator spreads its effort over them."""
        return range(count)

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], strength: float = 1.0) -> Self:
        """See `Stage`."""
        check_magnitudes("directions", np.abs(tensors["directions"]).max(axis=1), 1.0)
        check_magnitudes("gains", np.abs(tensors["gains"]).max(axis=1), strength)
        if (short := tensors["short"][0]) not in (0, 1):
            raise ArtefactError(f"tensor short: expected 0 or 1, found {short}")
        return cls(tensors, strength)

    def points(self, model: Model) -> list[Point]:
        acting = self.tensors["directions"].any(axis=1) & self.tensors["gains"].any(axis=1)
        return [Point(int(layer), Site.RESIDUAL) for layer in np.flatnonzero(acting)]

    def loop(self, layer: int, model: Model) -> ClosedLoop:
        """The loop behind a layer, at this strength."""
        direction, exponent = to_mantissas(self.tensors["directions"][layer], 32767)
        gain, gain_exponent = to_mantissas(self.tensors["gains"][layer] * min(1.0, abs(self.strength)), 32767)
        # `fsum` rounds once, whatever the order
        beta = math.fsum([*(self.tensors["directions"][layer] * self.tensors["centres"][layer]),
                          float(self.tensors["setpoints"][layer, 0]) * self.strength])
        unit = model.residual_fraction_bits - exponent
        setpoint = max(-_SETPOINT_MAX, min(_SETPOINT_MAX, round(math.ldexp(beta, unit))))
        toward = self.tensors["setpoints"][layer, 0] * self.strength >= 0
        acts = Loop.ALWAYS if not self.tensors["short"][0] else Loop.BELOW if toward else Loop.ABOVE
        return ClosedLoop.of(direction, gain, exponent + gain_exponent, setpoint, acts)

    def lower(self, point: Point, model: Model) -> ClosedLoop | None:
        loop = self.loop(point.layer, model)
        return loop if -64 <= loop.add_exponent < 64 and loop.gain.size <= LOOP_CHANNELS else None

    def apply(self, point: Point, x: np.ndarray, unit: Scalar, model: Model) -> np.ndarray:
        return closed_loop(x, self.loop(point.layer, model))

    def randomised(self, seed: int) -> LQR:
        """A control: directions and gains of all layers turned by one random rotation, so that their norms, their
        angles and their gain around the loop stay; the setpoints lie as far from the centres along the new ones."""
        directions, gains = self.tensors["directions"], self.tensors["gains"]
        both = np.concatenate([directions, gains])
        basis = np.linalg.qr(both.T)[0]
        turned = np.linalg.qr(np.random.default_rng(seed).standard_normal(basis.shape))[0]
        new = both @ basis @ turned.T
        return self.load({**self.tensors, "directions": new[:len(directions)], "gains": new[len(directions):]},
                         self.strength)


def passages_of(contrast: Contrast, count: int) -> list[Sequence[int]]:
    """`count` passages of either manner in turn, spread evenly over the texts; fewer where these are short."""
    if count < 1:
        raise OptionError(f"--passages must be positive, got {count}")
    sides = contrast.pieces(PASSAGE)
    chosen = np.linspace(0, len(sides[0]) - 1, min(-(-count // 2), len(sides[0]))).astype(int)
    return [side[index] for index in chosen for side in sides][:count]
