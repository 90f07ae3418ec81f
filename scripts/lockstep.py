"""Many sequences of one length side by side on the emulator: one pass takes a token of each.

A pass of the ordinary program is a run of positions of one sequence. Here its rows are the same position of as
many sequences: each row has its own cache and all share a row of the RoPE table. Bits are those of the
sequences run one after another; a token costs a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from host.devices.base import Buffer
from host.devices.emulator import BASE, EmulatorDevice
from host.emulator.machine import Machine
from host.runtime import Session
from models.checkpoint import Model
from models.golden.model import TapPoint
from models.golden.rounding import round_shift
from models.golden.scalar import Scalar, constant, div, from_int, from_word, mul, scale_round, to_word
from models.golden.tap import Tap
from models.machine.build import CPU
from models.machine.descriptor import LoadTarget
from models.machine.tables import EXP2_COARSE, EXP2_FINE, EXP2_FRACTION, P_FRACTION

__all__ = ["Lockstep"]


class Lockstep:
    """A model with `taps` over as many sequences as the first step's tokens; all start empty."""

    def __init__(self, model: Model, taps: Mapping[TapPoint, Tap] | None = None):
        self._session = Session(model, _LockstepDevice(CPU), taps=taps)
        self._position = 0

    def reset(self) -> None:
        """Forget the sequences."""
        self._position = 0

    def step(self, tokens: Sequence[int]) -> np.ndarray:
        """Append one token to each sequence; integer logits int32 [sequences, vocab]. At most 128 sequences."""
        if len(tokens) > self._session.rows:
            raise ValueError(f"{len(tokens)} sequences, at most {self._session.rows} run side by side")
        self._session.position = self._position
        self._position += 1
        return self._session.score(tokens)


class _LockstepDevice(EmulatorDevice):
    def allocate(self, size: int) -> Buffer:
        memory = np.zeros(size, np.uint8)
        self.machine = _LockstepMachine(self.build, memory, BASE)
        return Buffer(memory, BASE)


class _LockstepMachine(Machine):
    """Replaces what looks along a sequence: the position's RoPE row, the cache and attention over it."""

    def __init__(self, *arguments: object):
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._history: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}

    def _load(self, f: dict[str, int]) -> None:
        super()._load(f)
        if f["target"] == LoadTarget.ROPE:
            own = self._rope[:f["address_stride"] // self._rope.itemsize]
            self._rope = np.tile(own, self._rope.size // own.size)

    def _cache(self, f: dict[str, int], q: np.ndarray, scale: Scalar) -> None:
        past = self._history.setdefault(f["address"], [])
        del past[self.positions[0]:]
        past.append((q, to_word(scale)))

    def _attend(self, f: dict[str, int]) -> None:
        keys, values = ([np.stack(part, axis=2) for part in zip(*self._history[f[name]], strict=True)]
                        for name in ("keys", "values"))
        self._attention = _attention(*self._query_heads, keys[0], from_word(keys[1]), values[0], from_word(values[1]),
                                     from_word(f["score_constant"]), self.build.kv_bits)


def _attention(q: np.ndarray, q_scale: Scalar, keys: np.ndarray, key_scales: Scalar, values: np.ndarray,
               value_scales: Scalar, score_constant: Scalar, kv_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """`models.golden.attention` for one row of each sequence over its own cache.

    q: [rows, heads, dim], q_scale [rows, heads]; keys, values: [rows, kv_heads, n, dim], scales [rows, kv_heads, n].
    Returns o [rows, heads, dim] and exponents [rows, kv_heads].
    """
    rows, kv_heads = keys.shape[:2]
    fraction, drop = P_FRACTION - (kv_bits - 1), kv_bits - 3
    grouped = (rows, kv_heads, -1)
    q_unit = mul(q_scale, score_constant)
    q_unit = Scalar(q_unit.m.reshape(grouped), q_unit.e.reshape(grouped))
    queries = q.reshape(rows, kv_heads, -1, q.shape[-1]).astype(np.float64)
    sums = (queries @ keys.astype(np.float64).swapaxes(2, 3)).astype(np.int64)  # exact: below 2**53
    score = scale_round(sums, mul(q_unit[..., None], key_scales[:, :, None]), fraction=EXP2_FRACTION)
    delta = score.max(axis=-1, keepdims=True) - score
    part = delta & ((1 << EXP2_FRACTION) - 1)
    p = round_shift(EXP2_COARSE[part >> 6] * EXP2_FINE[part & 63],
                    P_FRACTION + np.minimum(delta >> EXP2_FRACTION, 42))
    m, e = value_scales
    top = np.where(m > 0, e, -128).max(axis=-1)
    align = P_FRACTION + np.clip(top[..., None] - e, 0, 40)
    w = round_shift(p * m[:, :, None], align[:, :, None])
    total = round_shift((w.astype(np.float64) @ values.astype(np.float64)).astype(np.int64), drop)
    out = scale_round(total, div(constant(1), from_int(p.sum(axis=-1)))[..., None], fraction=fraction + drop)
    return out.reshape(q.shape), top - 23 + P_FRACTION - fraction
