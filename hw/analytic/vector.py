"""Cycles of the vector engine: what the commands of a token take, by the contracts of `hw.vector.engine`."""

from __future__ import annotations

from models.config import ModelConfig
from models.machine.build import BuildParameters

__all__ = ["vector_cycles"]


# Of a command beside its words, in cycles: passes begun and drained, scalar operations, decoding and retirement.
_NORM, _RMS = 90, 160
_HEADS, _A_HEAD = 93, 25
_ADD = 30
_COMMAND = 7  # of a command and its row (`hw.vector.row_control`)


def vector_cycles(config: ModelConfig, build: BuildParameters) -> float:
    """Of a token's layers and the norm before the head, without taps and stops, each row by itself.

    Most of it is not seen where the linear engine or the ports have work meanwhile; with one row nothing is hidden.
    """
    lanes, dim = build.lanes, config.head_dim
    hidden, channels = config.hidden_size, config.heads * dim

    def norm(count: int, rms: bool) -> float:
        return 2 * count / lanes + (_RMS if rms else _NORM)

    def heads(count: int) -> float:
        return count * max(dim / lanes + 1, _A_HEAD) + 2 * dim / lanes + _HEADS

    layer = (2 * norm(hidden, rms=True) + norm(channels, config.sub_norms) + norm(config.ffn_size, config.sub_norms)
             + heads(config.heads) + 2 * heads(config.kv_heads) + 2 * (hidden / lanes + _ADD))
    return config.layers * (layer + 9 * _COMMAND) + norm(hidden, rms=True) + _COMMAND
