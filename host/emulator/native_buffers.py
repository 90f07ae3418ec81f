"""The on-chip memories of the compiled machine: as large as the programs seen so far need them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from host.emulator.image import ProgramError
from host.emulator.native_state import MachineState
from host.emulator.streams import COLUMN_TRITS, COLUMN_UNIT
from models.machine.build import SHORTLIST, TRITS_PER_BYTE, BuildParameters
from models.machine.descriptor import STEP_BYTES, Descriptor, LoadTarget, Opcode

__all__ = ["Buffers", "Extents"]

_BLOCK = 64  # packed bytes whose activations lie together (machine.h)
_COUNTERS = 8
_FINDINGS = 8
_DIM_MAX = 256
_SUM_SLACK = 64
_GROUP = 8  # rows that share a product's columns
_AHEAD = 129  # entries behind a list of rows or columns that a kernel may write (matmul.h, columns.h)
_STEP_INPUTS = 4 * _BLOCK  # of _BLOCK * TRITS_PER_BYTE bytes, where scales are by group: the fewer (grouped.h)
_STRIP_SUMS = COLUMN_UNIT * COLUMN_TRITS  # of a strip of columns, at most


@dataclass(frozen=True)
class Extents:
    """What a program needs at most: tokens a pass, channels and sums a token, tokens of the cache, vocabulary."""

    rows: int
    channels: int
    sums: int
    heads: int
    vocab: int
    tokens: int
    row_bytes: int  # of the cache, where its rows must be gathered

    @classmethod
    def of(cls, descriptors: Sequence[Descriptor], build: BuildParameters) -> Extents:
        """Extents of a program; `ProgramError` where no fabric could hold one."""
        def most(*names: str) -> int:
            return max((getattr(d, name) for d in descriptors for name in names if d.has(name)), default=1)

        if most("dim") > _DIM_MAX:
            raise ProgramError(f"a head of {most('dim')} channels exceeds {_DIM_MAX}")
        if (k := max((d.k for d in descriptors if d.opcode == Opcode.SELECT), default=0)) > SHORTLIST:
            raise ProgramError(f"a shortlist of {k} rows exceeds {SHORTLIST}")
        heads = max((d.heads * d.dim for d in descriptors if d.has("heads")), default=1)
        sums = max((d.accumulator * build.outputs_per_step + d.outputs for d in descriptors
                    if d.opcode == Opcode.MATMUL), default=1)
        loads = [d for d in descriptors if d.opcode == Opcode.LOAD]
        loaded = max((-(-d.bytes // 4) for d in loads if d.target == LoadTarget.RESIDUAL), default=1)
        angles = max((d.offset + -(-d.bytes // 2) for d in loads if d.target == LoadTarget.ROPE), default=1)
        inputs = [d for d in loads if d.target in (LoadTarget.INPUT, LoadTarget.HEAD_INPUT)]
        steps = max((d.row + d.bytes // STEP_BYTES for d in loads if d.target == LoadTarget.STEP), default=1)
        rows = max(max((d.first_row + d.rows for d in descriptors if d.has("rows")), default=1),
                   -(-angles // _DIM_MAX), max((d.row + 1 for d in inputs), default=1), steps)
        gathered = most("row_bytes") if build.packing == "tiles" else 0
        # a SELECT counts ids
        channels = max((d.count for d in descriptors if d.has("count") and d.opcode != Opcode.SELECT), default=1)
        channels = max(channels, max((d.bytes // 2 for d in inputs), default=1),
                       max((-(-d.bytes // 4) for d in loads if d.target == LoadTarget.AFFINE), default=1))
        return cls(rows, max(channels, heads, -(-loaded // rows)), max(sums, heads), most("heads"), most("vocab"),
                   build.context_max, gathered)


class Buffers:
    """Arrays of `Extents`, never smaller than those of `earlier` ones. counts: int64 [threads, counters]."""

    def __init__(self, needed: Extents, earlier: Buffers | None, *, threads: int):
        if earlier is not None:
            needed = Extents(*map(max, astuple(needed), astuple(earlier.extents)))
        self.extents = e = needed
        blocks = -(-e.channels // _STEP_INPUTS)
        self.row_sums, self.group_bytes = e.sums + _SUM_SLACK, blocks * TRITS_PER_BYTE * _BLOCK
        # scores and weights of a head, and its keys, values and scales where they are gathered; a list of int32
        self.wide_channels = max(e.channels, e.tokens * (2 + (e.row_bytes // 4 + 1 if e.row_bytes else 0)),
                                 (max(e.channels, e.sums) + _AHEAD + 1) // 2)
        self._kept: dict[str, np.ndarray] = {}
        wide = e.rows * e.channels
        for name, dtype, size in (
                ("residual", np.int32, wide), ("activations", np.int8, e.rows * self.group_bytes),
                ("activation_sums", np.int32, e.rows), ("inputs", np.int64, e.rows), ("live_inputs", np.int64, e.rows),
                ("head_input", np.int16, wide), ("unit", np.int64, 2 * e.rows),
                ("planes", np.int32, _GROUP * (e.sums + _STRIP_SUMS)), ("sums", np.int32, e.rows * self.row_sums),
                ("queries", np.int16, wide),
                ("query_scales", np.int64, 2 * e.rows * e.heads), ("attention", np.int32, wide),
                ("attention_exponents", np.int64, e.rows * e.heads), ("scores", np.int32, e.rows * e.vocab),
                ("list_scores", np.int64, e.rows * SHORTLIST), ("list_ids", np.int64, e.rows * SHORTLIST),
                ("list_sizes", np.int64, e.rows),
                ("wide", np.int64, threads * self.wide_channels), ("angles", np.int16, e.rows * _DIM_MAX),
                ("affine", np.uint64, e.channels),
                ("parts", np.int64, threads * _FINDINGS), ("counts", np.int64, threads * _COUNTERS)):
            self._kept[name] = _aligned(size, dtype)
        self.residual = self._kept["residual"]
        if earlier is not None:  # what a program that stopped left behind
            self.residual[:earlier.residual.size] = earlier.residual
        self.counts = self._kept["counts"].reshape(threads, _COUNTERS)

    def hold(self, needed: Extents) -> bool:
        """Whether a program of these extents fits."""
        return all(have >= want for have, want in zip(astuple(self.extents), astuple(needed), strict=True))

    def attach(self, state: MachineState) -> None:
        """Let the machine use these arrays."""
        types = dict(MachineState._fields_)
        for name, array in self._kept.items():
            setattr(state, name, ctypes.cast(array.ctypes.data, types[name]))
        state.rope = state.taps = None  # not loaded yet
        state.row_sums, state.group_bytes, state.wide_channels = self.row_sums, self.group_bytes, self.wide_channels


def _aligned(size: int, dtype: type) -> np.ndarray:
    """Zeros that start on a cache line."""
    raw = np.zeros(size * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start:start + size * np.dtype(dtype).itemsize].view(dtype)
