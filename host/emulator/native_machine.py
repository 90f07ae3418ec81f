"""The accelerator's engines compiled: the same programs, state and bits as `host.emulator.machine`, on all cores.

A program is linked once: its descriptors become a list of `operation`s with the addresses of its streams, which
the library (`native/`) walks on every thread.
"""

from __future__ import annotations

import ctypes
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from host.devices.base import WeightBytes
from host.emulator.forking import surviving_threads
from host.emulator.image import Image, OutsideError, ProgramError
from host.emulator.library import default_threads, library, native_paths
from host.emulator.linking import Linked, link
from host.emulator.native_buffers import Buffers, Extents
from host.emulator.native_state import MachineState, NativeScalar
from host.emulator.operations import decode
from host.emulator.streams import Streams
from models.golden.norm_quant import ABSMAX_FLOOR
from models.golden.scalar import constant
from models.machine.build import BuildParameters
from models.machine.descriptor import DESCRIPTOR_BYTES, Descriptor
from models.machine.tables import EXP2_COARSE, EXP2_FINE, SIGMOID_TABLE

__all__ = ["NativeMachine"]

_FAILURES = {1: (OutsideError, "an address lies outside the program's memory"),
             2: (ProgramError, "a vector is used before it was loaded")}
_BYTES_PER_THREAD = 4 << 20  # of weights: below, threads wait for each other longer than they work
_KEPT_DESCRIPTORS = 1 << 16  # of linked programs: drafts and batches come in a few shapes, stops in many short programs
_ZEROS, _ACTIVATIONS, _SATURATIONS, _WEIGHT_BYTES, _READ_BYTES = range(5)


class _Program(NamedTuple):
    described: list[Descriptor]
    linked: Linked
    threads: int


class NativeMachine:
    """As `Machine`, by the compiled path `kernels`, on `threads` threads (None: as many as the program pays).

    skip: weights that a zero makes useless are not read.
    """

    def __init__(self, build: BuildParameters, memory: np.ndarray, base: int, *, kernels: str, threads: int | None,
                 skip: bool = True):
        self.build = build
        self.image = Image(memory, base)
        self.saturations = self.invalid_trits = 0
        self.zeros = self.activations = 0
        self.weights_read = WeightBytes(0, 0)
        self._skip = skip
        self._library, self._path = library(), native_paths()[kernels]
        self._asked_threads, self._threads_max = threads, threads or default_threads()
        self._streams = Streams(build, self.image)
        self._programs: dict[bytes, _Program] = {}
        self._kept_descriptors = 0
        self._buffers: Buffers | None = None
        self._residual_size = 0
        self._tables = [np.ascontiguousarray(t, np.int64) for t in (EXP2_COARSE, EXP2_FINE, SIGMOID_TABLE)]
        self._constants = _constants()
        self._state = MachineState(
            size=memory.size, base=base, kv_bits=build.kv.bits, outputs_per_step=build.outputs_per_step,
            top_k=build.top_k, cache_ports=build.ports if build.packing == "tiles" else 0)
        self._state.memory = memory.ctypes.data_as(type(self._state.memory))
        for name, table in zip(("exp2_coarse", "exp2_fine", "sigmoid"), self._tables, strict=True):
            setattr(self._state, name, table.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)))
        self._state.constants = self._constants

    @property
    def residual(self) -> np.ndarray:
        """The residual stream of the last run's rows, int32, flat."""
        return self._buffers.residual[:self._residual_size]

    def run(self, address: int, count: int, *positions: int) -> None:
        """Execute a program; raises `ProgramError` where the fabric would report an error.

        positions: of the sequences that it names.
        """
        program = self._program(address, count)
        linked = program.linked
        self._state.positions[:len(positions)] = positions
        self._residual_size = linked.residual_size
        self._buffers.counts[:] = 0
        threads, count = surviving_threads(program.threads), len(linked.operations)
        if failure := self._library.tritloom_run(self._state, linked.operations, count, self._path, threads):
            error, text = _FAILURES[failure]
            raise error(text)
        counts = self._buffers.counts.sum(axis=0)
        self.zeros, self.activations = int(counts[_ZEROS]), int(counts[_ACTIVATIONS])
        self.weights_read = WeightBytes(int(counts[_WEIGHT_BYTES]), int(counts[_READ_BYTES]))
        self.saturations += int(counts[_SATURATIONS])
        self.invalid_trits += linked.invalid_bytes

    def forget_streams(self) -> None:
        """Look at the streams anew, after the memory image changed."""
        self._streams.clear()
        self._programs.clear()
        self._kept_descriptors = 0

    def _program(self, address: int, count: int) -> _Program:
        """The program at an address, linked where its descriptors were not seen before."""
        raw = self.image.view(address, count * DESCRIPTOR_BYTES).tobytes()
        if raw in self._programs:
            return self._programs[raw]
        described = decode(raw)
        extents = Extents.of(described, self.build)
        if self._buffers is None or not self._buffers.hold(extents):
            self._buffers = Buffers(extents, self._buffers, threads=self._threads_max)
            self._buffers.attach(self._state)
        linked = link(described, self._streams, self.build.outputs_per_step, skip=self._skip)
        threads = self._asked_threads or min(self._threads_max, 1 + linked.weight_bytes // _BYTES_PER_THREAD)
        self._kept_descriptors += count
        while self._programs and self._kept_descriptors > _KEPT_DESCRIPTORS:
            self._kept_descriptors -= len(self._programs.pop(next(iter(self._programs))).described)
        self._programs[raw] = program = _Program(described, linked, threads)
        return program


def _constants() -> ctypes.Array:
    """`enum constant` of machine.h, each the nearest scalar."""
    levels = [Fraction(127), Fraction(32767)]
    values = [ABSMAX_FLOOR, *levels, *(1 / q for q in levels), *(q / ABSMAX_FLOOR for q in levels),
              *(ABSMAX_FLOOR / q for q in levels), Fraction(1)]
    scalars = [constant(value) for value in values]
    return (NativeScalar * len(scalars))(*(NativeScalar(int(s.m), int(s.e)) for s in scalars))
