"""The normalisation interface: what a norm asks of the fabric's NORM operation.

RMSNorm, which real BitNet checkpoints use, is the first method behind it. A further one is one more
class with the same method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from models.golden.norm_quant import norm_constants
from models.golden.scalar import to_word

__all__ = ["Normalisation", "RMSNorm"]


class Normalisation(Protocol):
    """A norm in front of a linear layer."""

    def fields(self, channels: int, gain_exponent: int | None) -> dict[str, int]:
        """NORM descriptor fields (rms, gained, eps_sum, gain); gain_exponent None: no norm at this place."""
        ...


@dataclass(frozen=True)
class RMSNorm:
    """y = gain * x / sqrt(mean(x**2) + eps)."""

    eps: float

    def fields(self, channels: int, gain_exponent: int | None) -> dict[str, int]:
        """See `Normalisation`."""
        present = gain_exponent is not None
        constants = norm_constants(channels, gain_exponent or 0, self.eps if present else None)
        return {"rms": int(present), "gained": int(present), "gain": int(to_word(constants.gain)),
                "eps_sum": int(to_word(constants.eps_sum)) if constants.eps_sum is not None else 0}
