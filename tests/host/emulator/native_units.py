"""A compiled machine without a model: its memories are set, and programs of a few operations run on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from host.emulator.image import ProgramError
from host.emulator.library import native_paths
from host.emulator.native_buffers import Buffers, Extents
from host.emulator.native_machine import NativeMachine
from models.golden.closed_loop import ClosedLoop
from models.golden.scalar import Scalar, constant, to_word
from models.golden.tap import NO_CLIP, Tap
from models.machine.build import CPU
from models.machine.descriptor import DESCRIPTOR_BYTES, OPCODES, LoadTarget, Opcode, pack
from models.machine.layout import head_scales_start
from models.ternary import pack_trits, packed_width
from tests.host.emulator.foreign import FOREIGN_PATHS, can_run_foreign, move_to_foreign

__all__ = ["ONE", "PATHS", "UnitMachine", "activations", "read_activations", "residual_like", "same", "some_scalars",
           "some_words", "wild_tap"]

PATHS = [*native_paths(), *(FOREIGN_PATHS if native_paths() and can_run_foreign() else ())]
"""All that can run here; those of another processor under its simulator."""

_BASE = 0x1_0000_0000
_STREAMS = _BASE + (1 << 32)  # where only placed streams lie


class UnitMachine:
    """One path with room for `Extents`. `add` collects operations, `run` runs them."""

    def __init__(self, path: str, *, rows: int = 1, channels: int = 1, sums: int = 1, heads: int = 1, vocab: int = 1,
                 kv_bits: int = 8, threads: int = 2, memory: int = 1 << 16, tokens: int = CPU.context_max):
        foreign = path not in native_paths()
        self.memory = np.zeros(memory, np.uint8)
        self.machine = NativeMachine(replace(CPU, kv_bits=kv_bits, context_max=tokens), self.memory, _BASE,
                                     kernels="portable" if foreign else path, threads=threads)
        extents = Extents(rows, channels, sums, heads, vocab, tokens, 0)
        self.machine._buffers = Buffers(extents, None, threads=threads)
        self.machine._buffers.attach(self.machine._state)
        if foreign:
            move_to_foreign(self.machine, path)
        self._used = self._streams = 0
        self._program: list[bytes] = []

    def array(self, name: str, *shape: int) -> np.ndarray:
        """A part of an on-chip memory, to read or write."""
        return self.machine._buffers._kept[name][:int(np.prod(shape))].reshape(shape)

    def sums(self, rows: int, outputs: int) -> np.ndarray:
        """Accumulators [rows, outputs]."""
        size = self.machine._buffers.row_sums
        return self.array("sums", rows, size)[:, :outputs]

    def scalars(self, name: str, *shape: int) -> Scalar:
        """A memory of scalars."""
        pairs = self.array(name, *shape, 2)
        return Scalar(pairs[..., 0], pairs[..., 1])

    def set_scalars(self, name: str, values: Scalar) -> None:
        """Fill a memory of scalars."""
        self.array(name, *values.m.shape, 2)[:] = np.stack([values.m, values.e], axis=-1)

    def place(self, array: np.ndarray) -> int:
        """Write an array to memory; returns its address."""
        data = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
        start = self._used
        self.memory[start:start + data.size] = data
        self._used = -(-(start + data.size) // 256) * 256
        return _BASE + start

    def at(self, address: int, dtype: str, *shape: int) -> np.ndarray:
        """An array in memory."""
        start, size = address - _BASE, int(np.prod(shape)) * np.dtype(dtype).itemsize
        return self.memory[start:start + size].view(dtype).reshape(shape)

    def add(self, opcode: Opcode, **fields: int) -> None:
        """Append an operation; fields that are not given are 0."""
        values = {field.name: 0 for field in OPCODES[opcode].fields} | fields
        self._program.append(pack(opcode, **values))

    def add_load(self, target: LoadTarget, array: np.ndarray) -> None:
        """Append the loading of a vector."""
        self.add(Opcode.LOAD, target=target, address=self.place(array), bytes=array.nbytes)

    def add_tap(self, tap: Tap) -> dict[str, int]:
        """Append the loading of a tap; returns the fields with which an operation uses it."""
        records = [tap.gain.view(np.uint16), tap.add.view(np.uint16)]
        if not tap.affine:
            records += [tap.clip, tap.threshold]
        self.add_load(LoadTarget.AFFINE if tap.affine else LoadTarget.TAP, np.stack(records, axis=1))
        loop = {"loop": tap.acts, "setpoint": tap.setpoint} if isinstance(tap, ClosedLoop) else {}
        return {"tap": 1, "tap_add_exponent": tap.add_exponent, "tap_clip_exponent": tap.clip_exponent,
                "tap_threshold_exponent": tap.threshold_exponent, **loop}

    def add_matmul(self, trits: np.ndarray, rows: int, accumulator: int = 0) -> None:
        """Append the product with trits, int8 [outputs, inputs]."""
        outputs, inputs = trits.shape
        address = self._stream(pack_trits(trits))
        self.add(Opcode.STREAM, address=address)
        self.add(Opcode.MATMUL, tiles=packed_width(inputs), outputs=outputs, rows=rows, accumulator=accumulator)

    def add_head(self, head: np.ndarray, scales: np.ndarray, *, listed: int = 0, row: int = 0, **fields: int) -> None:
        """Append LOGITS with head, int8 [vocab, count], and scale words, uint32 [vocab].

        listed: of so many rows of the shortlist of row `row`, in place of all.
        """
        address = self._stream(head)
        self.machine.image.place(address + head_scales_start(*head.shape), scales.view(np.uint8))
        self.add(Opcode.STREAM, address=address, listed=listed, row=row)
        self.add(Opcode.LOGITS, vocab=listed or head.shape[0], count=head.shape[1], listed=int(listed > 0), **fields)

    def run(self, *positions: int) -> None:
        """Run and forget the operations. positions: of the sequences; 0 unless given."""
        buffers = self.machine._buffers
        assert self.stopped(*positions) is None
        assert self.machine._buffers is buffers, "the program exceeds the extents given"

    def stopped(self, *positions: int) -> str | None:
        """Run and forget the operations; what the machine says where it refuses one."""
        program, self._program = b"".join(self._program), []
        address = self.place(np.frombuffer(program, np.uint8))
        try:
            self.machine.run(address, len(program) // DESCRIPTOR_BYTES, *positions)
        except ProgramError as error:
            return str(error)
        return None

    def _stream(self, array: np.ndarray) -> int:
        self._streams += 1 << 24
        address = _STREAMS + self._streams
        self.machine.image.place(address, np.ascontiguousarray(array).view(np.uint8).reshape(-1))
        return address


ONE = int(to_word(constant(1)))


def same(found, expected):
    if isinstance(expected, Scalar):
        return all((a == b).all() for a, b in zip(found, expected, strict=True))
    return (found == expected).all()


def some_scalars(rng, *shape, low=-30, high=-10):
    return Scalar(rng.integers(1 << 23, 1 << 24, shape), rng.integers(low, high, shape))


def some_words(rng, *shape, low=-30, high=-10):
    return to_word(some_scalars(rng, *shape, low=low, high=high))


def residual_like(rng, rows, count):
    """Rows of every size: full range, an outlier over small values, the smallest, zeros."""
    x = rng.integers(-(2**31) + 1, 2**31, (rows, count))
    x >>= rng.integers(0, 31, (rows, 1))
    x[:, 0] = rng.choice([2**31 - 1, -(2**31) + 1, 1], rows)
    x[-1] = 0
    return x


def wild_tap(rng, count, exponents=(-14, -13, -15)):
    """Every field at its limits somewhere."""
    def drawn(low, high, *special):
        return np.where(rng.random(count) < 0.3, rng.choice([low, high, *special], count),
                        rng.integers(low, high, count, endpoint=True))

    add, clip, threshold = exponents
    return Tap(gain=drawn(-32767, 32767, 8192, 0).astype(np.int16), add=drawn(-32767, 32767, 0).astype(np.int16),
               clip=drawn(0, NO_CLIP, NO_CLIP, 1).astype(np.uint16),
               threshold=(drawn(0, 65535, 0) * rng.integers(0, 2, count)).astype(np.uint16), add_exponent=add,
               clip_exponent=clip, threshold_exponent=threshold)


def activations(unit, q):
    """Append what leaves q, int [rows, inputs] with a 127 in every row, in the activation memory."""
    rows, count = q.shape
    unit.add_load(LoadTarget.RESIDUAL, q.astype("<i4"))
    unit.add(Opcode.NORM, count=count, rows=rows, gain=ONE)


def read_activations(unit, rows, count):
    """Append the product with the unit matrix, and run: the activations themselves."""
    unit.add_matmul(np.eye(count, dtype=np.int8), rows)
    unit.run()
    return unit.sums(rows, count)
