"""The accelerator's engines in NumPy: executes descriptors over a memory image.

State has the fabric's extent: what one pass leaves behind, the next finds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from host.devices.base import WeightBytes
from host.emulator.accumulators import Accumulators
from host.emulator.image import Image, ProgramError
from host.emulator.kernels import attention_rows, grouped_sums, matmul
from host.emulator.operations import decode
from host.emulator.row_memory import RowMemory, ScalarMemory
from host.emulator.shortlists import Shortlist, Shortlists
from host.emulator.streams import Streams, trits_of_bytes
from models.golden.closed_loop import ClosedLoop
from models.golden.gated import gated_product
from models.golden.head import LOGIT_FRACTION, scaled_grouped, top_k
from models.golden.head_norm import head_norm
from models.golden.head_quant import QUERY_BITS, head_quant
from models.golden.norm_quant import NormConstants, norm_quant
from models.golden.residual import residual_add
from models.golden.rope import ROPE_FRACTION, rope
from models.golden.rounding import round_shift, saturate
from models.golden.scalar import Scalar, constant, from_word, mul, scale_round, shift, to_word
from models.golden.tap import NO_CLIP, Tap
from models.golden.ternary_matmul import ACCUMULATOR_BITS
from models.machine.build import BuildParameters
from models.machine.cache import BLOCK_TOKENS, chunk_bytes, places
from models.machine.descriptor import (
    DESCRIPTOR_BYTES,
    STEP_BYTES,
    Activation,
    Descriptor,
    LoadTarget,
    Loop,
    NormSource,
    Opcode,
    StoreSource,
)
from models.ternary_groups import GROUP

__all__ = ["Machine", "ProgramError"]


class Machine:
    """Engines and on-chip memories of one build over `memory`, uint8, seen at address `base`.

    `residual` is the residual stream, flat.
    """

    def __init__(self, build: BuildParameters, memory: np.ndarray, base: int):
        self.build = build
        self.image = Image(memory, base)
        self.saturations = self.invalid_trits = 0
        self.zeros = self.activations = 0
        self.weights_read = WeightBytes(0, 0)
        self._view = self.image.view
        self._streams = Streams(build, self.image)
        self._matrices: dict[int, np.ndarray] = {}
        self._q, self._head_q, self._queries = RowMemory(), RowMemory(), RowMemory()
        self._accumulators = Accumulators(build)
        self._attention, self._exponents = RowMemory(), RowMemory()
        self._unit, self._query_scales = ScalarMemory(), ScalarMemory()
        self._rope = np.zeros(0, np.int16)
        self.residual = np.zeros(0, np.int64)
        self._execute: dict[Opcode, Callable[..., None]] = {
            Opcode.STREAM: self._stream, Opcode.LOAD: self._load, Opcode.MATMUL: self._matmul, Opcode.NORM: self._norm,
            Opcode.QUERY: self._query, Opcode.KEY: self._key, Opcode.VALUE: self._value,
            Opcode.RESIDUAL: self._residual, Opcode.ATTEND: self._attend, Opcode.LOGITS: self._logits,
            Opcode.SELECT: self._select, Opcode.STORE: self._store}

    def run(self, address: int, count: int, *positions: int) -> None:
        """Execute a program; raises `ProgramError` where the fabric would report an error.

        positions: of the sequences that it names.
        """
        self.positions = positions
        self.zeros = self.activations = 0
        self.weights_read = WeightBytes(0, 0)
        self._fetched: deque[tuple[int, Shortlist | None]] = deque()
        self._shortlists = Shortlists()
        for descriptor in decode(self._view(address, count * DESCRIPTOR_BYTES).tobytes()):
            self._execute[descriptor.opcode](descriptor)

    def forget_streams(self) -> None:
        """Drop decoded weights, after the memory image changed."""
        self._streams.clear()
        self._matrices.clear()

    def _stream(self, f: Descriptor) -> None:
        self._fetched.append((f.address, self._shortlists.of(f.row) if f.listed else None))

    def _load(self, f: Descriptor) -> None:
        data = self._view(f.address + self.positions[f.sequence] * f.address_stride, f.bytes)
        target = LoadTarget(f.target)
        if target == LoadTarget.RESIDUAL:
            before = self.residual[:f.offset]
            self.residual = np.concatenate([before, data.view("<i4").astype(np.int64)])
        elif target == LoadTarget.GAIN:
            self._gain = data.view("<i2").astype(np.int64)
        elif target == LoadTarget.TAP:
            self._tap = data.view("<u2").reshape(-1, 4)
        elif target == LoadTarget.AFFINE:
            self._tap = np.tile(np.array([0, 0, NO_CLIP, 0], np.uint16), (data.size // 4, 1))
            self._tap[:, :2] = data.view("<u2").reshape(-1, 2)
        elif target == LoadTarget.ROPE:
            self._rope = _filled(self._rope, f.offset, data.view("<i2"))
        elif target == LoadTarget.STEP:
            words = data.view("<u4")[::STEP_BYTES // 4]
            self._unit[f.row:f.row + words.size] = from_word(words)
        else:
            inputs = self._q if target == LoadTarget.INPUT else self._head_q
            inputs[f.row:f.row + 1] = data.view("<i2").astype(np.int64)[None]

    def _grouped_matmul(self, f: Descriptor) -> None:
        packed, mantissas = self._streams.groups(self._fetched.popleft()[0], f.outputs, f.tiles)
        self.weights_read = WeightBytes(*(size + packed.size for size in self.weights_read))
        rows = _rows(f)
        sums = grouped_sums(self._q[rows][:, :f.tiles * GROUP], packed, mantissas)
        self._accumulators.write(rows, f.accumulator, saturate(round_shift(sums, f.group_shift), ACCUMULATOR_BITS),
                                 f.padding)

    def _matmul(self, f: Descriptor) -> None:
        if f.grouped:
            self._grouped_matmul(f)
            return
        address = self._fetched.popleft()[0]
        packed, invalid = self._streams.weights(address, f.tiles, f.outputs)
        self.invalid_trits += invalid
        self.weights_read = WeightBytes(*(size + packed.size for size in self.weights_read))
        if address not in self._matrices:
            rows = trits_of_bytes(packed).reshape(packed.shape[0], -1)
            self._matrices[address] = np.ascontiguousarray(rows.T, np.float32)
        weights = self._matrices[address]
        rows = _rows(f)
        q = np.zeros((f.rows, weights.shape[0]), np.int64)
        inputs = self._q[rows]
        q[:, :inputs.shape[1]] = inputs
        self._accumulators.write(rows, f.accumulator, matmul(q, weights), f.padding)

    def _sums(self, f: Descriptor, accumulator: int, count: int) -> np.ndarray:
        return self._accumulators.read(_rows(f), accumulator, count)

    def _tap_of(self, f: Descriptor) -> Tap | None:
        if not f.tap:
            return None
        gain, add, clip, threshold = self._tap.T
        if f.has("loop") and f.loop:
            return ClosedLoop.of(gain.astype(np.int16), add.astype(np.int16), f.tap_add_exponent, f.setpoint,
                                 Loop(f.loop))
        return Tap(gain=gain.astype(np.int16), add=add.astype(np.int16), clip=clip, threshold=threshold,
                   add_exponent=f.tap_add_exponent, clip_exponent=f.tap_clip_exponent,
                   threshold_exponent=f.tap_threshold_exponent)

    def _norm(self, f: Descriptor) -> None:
        source, rows, count = NormSource(f.source), _rows(f), f.count
        if source == NormSource.RESIDUAL:
            x = self.residual.reshape(-1, count)[rows]
            unit = _repeated(shift(constant(1), f.unit_exponent), f.rows)
        elif source == NormSource.ATTENTION:
            x, unit = self._attention_results(f)
        else:
            gate, up = (self._sums(f, base, count) for base in (f.gate_accumulator, f.up_accumulator))
            activation = {Activation.RELU2: "relu2", Activation.SILU: "silu"}[Activation(f.activation)]
            x, unit = gated_product(gate, mul(self._unit[rows], from_word(f.gate_scale)), up,
                                    mul(self._unit[rows], from_word(f.up_scale)), activation)
        constants = NormConstants(from_word(f.gain), from_word(f.eps_sum) if f.rms else None)
        q, self._unit[rows] = norm_quant(x, unit, self._gain[:count] if f.gained else None, constants,
                                         levels=32767 if f.levels16 else 127, tap_parameters=self._tap_of(f))
        if f.levels16:
            self._head_q[0:f.rows] = q
        else:
            self._q[rows] = q
            self.zeros += int(np.count_nonzero(q == 0))
            self.activations += q.size

    def _attention_results(self, f: Descriptor) -> tuple[np.ndarray, Scalar]:
        """A descriptor's rows, each aligned to its largest exponent, and the value of their unit."""
        out, exponents = self._attention[_rows(f)], self._exponents[_rows(f)]
        top = exponents.max(axis=1)
        align = np.repeat(top[:, None] - exponents, f.group_channels, axis=1)
        return round_shift(out.reshape(-1, f.count), align), shift(_repeated(constant(1), f.rows), top)

    def _heads(self, f: Descriptor, rotate: bool, bits: int) -> tuple[np.ndarray, Scalar]:
        rows, heads, dim = _rows(f), f.heads, f.dim
        x = self._sums(f, f.accumulator, heads * dim).reshape(-1, heads, dim)
        unit = mul(self._unit[rows], from_word(f.scale))
        if rotate and f.normed:
            constants = NormConstants(from_word(f.norm_gain), from_word(f.norm_eps))
            x, unit = head_norm(x, unit, self._gain[:dim], constants)
        if rotate:
            angles = self._rope[rows.start * dim:rows.stop * dim].reshape(-1, dim)
            x, unit = rope(x, angles), shift(unit, -ROPE_FRACTION)
        return head_quant(x, unit, bits)

    def _query(self, f: Descriptor) -> None:
        self._queries[_rows(f)], self._query_scales[_rows(f)] = self._heads(f, True, QUERY_BITS)

    def _key(self, f: Descriptor) -> None:
        self._cache(f, *self._heads(f, True, self.build.kv.bits))

    def _value(self, f: Descriptor) -> None:
        self._cache(f, *self._heads(f, False, self.build.kv.bits))

    def _cache(self, f: Descriptor, q: np.ndarray, scale: Scalar) -> None:
        words, rows = to_word(scale), f.rows
        kv = self.build.kv
        tokens, size = self.positions[f.sequence] + f.token + np.arange(rows), kv.bytes_of(f.dim)
        for head in range(f.heads):
            start = head * f.head_bytes
            at = self._cached(f.address + start, tokens, f.address_stride, f.block_bytes, f.region_bytes,
                              size)
            self.image.memory[at] = kv.stored(q[:, head])
            at = self._cached(f.scale_address + start, tokens, 4, f.scale_block_bytes, 0, 4)
            self.image.memory[at] = words[:, head].astype("<u4").view(np.uint8).reshape(rows, 4)

    def _cached(self, address: int, tokens: np.ndarray, stride: int, block_bytes: int, region_bytes: int,
                size: int) -> np.ndarray:
        """Places in the memory of `size` bytes of each token, [tokens, size]."""
        at = places(address, tokens, size, stride=stride, block=block_bytes, region=region_bytes, build=self.build)
        self._view(int(at.min()), int(at.max() - at.min()) + 1)
        return at - self.image.base

    def _attend(self, f: Descriptor) -> None:
        kv = self.build.kv
        position, rows = self.positions[f.sequence] + f.token, _rows(f)
        framed, block, chunk = self.build.packing == "tiles", f.block_bytes, chunk_bytes(self.build.ports)
        tokens, size = np.arange(position + f.rows), kv.bytes_of(f.dim)

        def bytes_of(address: int, *shape: int) -> np.ndarray:
            at = [self._cached(address + g * f.head_bytes, tokens, *shape) for g in range(f.kv_heads)]
            return self.image.memory[np.stack(at)]

        def scales_of(address: int) -> Scalar:
            found = bytes_of(address, 4, block if framed else 4 * BLOCK_TOKENS, 0, 4)
            return from_word(found.view("<u4")[..., 0])

        keys = kv.levels(bytes_of(f.keys, f.row_bytes, block, chunk, size))
        stride = chunk if framed else f.row_bytes
        values = kv.levels(bytes_of(f.values, stride, BLOCK_TOKENS * stride, f.region_bytes, size))
        self._attention[rows], self._exponents[rows] = attention_rows(
            self._queries[rows], self._query_scales[rows], keys, scales_of(f.key_scales), values,
            scales_of(f.value_scales), from_word(f.score_constant), position, kv=kv)

    def _residual(self, f: Descriptor) -> None:
        rows, count = _rows(f), f.count
        h = self.residual.reshape(-1, count)
        h[rows], saturated = residual_add(h[rows], self._sums(f, f.accumulator, count),
                                          mul(self._unit[rows], from_word(f.scale)), f.fraction_bits,
                                          self._tap_of(f))
        self.saturations += saturated

    def _select(self, f: Descriptor) -> None:
        scores = self._sums(f, f.accumulator, f.count) * self._gain[:f.count]
        for n, row in enumerate(range(f.first_row, f.first_row + f.rows)):
            self._shortlists.offer(row, f.first_id, scores[n], f.k, begin=bool(f.begin))

    def _store(self, f: Descriptor) -> None:
        rows, count, source = _rows(f), f.count, StoreSource(f.source)
        if source == StoreSource.RESIDUAL:
            x, unit = self.residual.reshape(-1, count)[rows], None
        elif source == StoreSource.ATTENTION:
            x, unit = self._attention_results(f)
        else:
            x, unit = self._sums(f, f.accumulator, count), self._unit[rows]
        self._view(f.address, x.size * 4).view("<i4")[:] = x.reshape(-1)
        if unit is not None:
            self._view(f.steps, f.rows * STEP_BYTES).view("<u4")[::STEP_BYTES // 4] = to_word(unit)

    def _logits(self, f: Descriptor) -> None:
        (address, chosen), rows = self._fetched.popleft(), _rows(f)
        q = self._head_q[0:f.rows].astype(np.float64)
        if bool(f.listed) != (chosen is not None):
            raise ProgramError("LOGITS and its stream differ in whether they are of a list")
        if f.grouped:
            groups = f.count // GROUP
            sums = grouped_sums(q, *self._streams.groups(address, f.vocab, groups))
            words = self._streams.group_scales(address, f.vocab, groups)
            values = scaled_grouped(sums, mul(self._unit[rows][:, None], from_word(words)))
            self._list_logits(f, values, np.arange(f.vocab))
            return
        if chosen is not None:
            head, scales = self._streams.head(address, chosen.offered, f.count)
            ids = chosen.ids[:f.vocab]
            head, scales = head[ids].T.astype(np.float64), scales[ids]
        else:
            head, scales = self._streams.head(address, f.vocab, f.count)
            ids = np.arange(f.vocab)
            if address not in self._matrices:
                self._matrices[address] = np.ascontiguousarray(head.T, np.float64)
            head = self._matrices[address]
        values = scale_round(np.rint(q @ head).astype(np.int64), mul(self._unit[rows][:, None], from_word(scales)),
                             fraction=LOGIT_FRACTION)
        self._list_logits(f, values, ids)

    def _list_logits(self, f: Descriptor, values: np.ndarray, ids: np.ndarray) -> None:
        """Write the best logits, [rows, ids], and all where they are asked for."""
        padded = -(-f.vocab // 4) * 4
        for row in range(f.rows):
            if f.write_logits:
                start = f.logits + row * padded * 4
                self._view(start, f.vocab * 4).view("<i4")[:] = values[row]
            best_ids, best = top_k(values[row], f.k, ids)
            area = self._view(f.top + row * self.build.top_k * 8, f.k * 8).view("<i4").reshape(-1, 2)
            area[:, 0], area[:, 1] = best_ids, best


def _filled(memory: np.ndarray, offset: int, data: np.ndarray) -> np.ndarray:
    """The memory, enlarged where needed, with `data` from `offset` on."""
    result = np.zeros(max(memory.size, offset + data.size), data.dtype)
    result[:memory.size] = memory
    result[offset:offset + data.size] = data
    return result


def _rows(f: Descriptor) -> slice:
    """The rows of a descriptor."""
    return slice(f.first_row, f.first_row + f.rows)


def _repeated(a: Scalar, rows: int) -> Scalar:
    return Scalar(np.broadcast_to(a.m, rows), np.broadcast_to(a.e, rows))
