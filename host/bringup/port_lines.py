"""Which data lines of which memory port are wrong: a tile of random bytes, read back trit by trit.

Each byte of a weight stream stands for five trits. Inputs that are 1 in one channel and 0 in all others make sums that
are the trits themselves, so the sums of 3 T such rows tell every byte that came, and which port's it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.bringup.short_program import ShortProgram
from host.compiler.descriptor_list import Semaphore
from host.compiler.memory_map import padded_row_bytes
from host.devices.base import Device
from models.golden.scalar import constant, to_word
from models.machine.build import PORT_BYTES, TRITS_PER_BYTE, BuildParameters
from models.machine.descriptor import STEP_BYTES, LoadTarget, Opcode, StoreSource
from models.machine.layout import stripe, weight_beats, weight_beats_used, weight_stream

__all__ = ["PortLines", "read_lines"]

_OUTPUTS = 160
_INVALID = 121  # zero trits, which a byte above 242 is taken for: says that it is wrong, not where
_BYTES = 1 << 20


@dataclass(frozen=True)
class PortLines:
    """wrong: of the port's bytes as they came, out of `bytes`. bits: those of its 128 that were ever wrong."""

    port: int
    bytes: int
    wrong: int
    bits: tuple[int, ...]


def read_lines(device: Device, seed: int = 0) -> list[PortLines]:
    """What each port's lines gave of a stream of random bytes, compared with what lies in memory."""
    build = device.build
    outputs = -(-_OUTPUTS // build.outputs_align) * build.outputs_align
    trits = np.random.default_rng(seed).integers(-1, 2, (outputs, build.tile_inputs)).astype(np.int8)
    came = np.concatenate([_sums(device, trits, range(first, min(first + build.rows, build.tile_inputs)))
                           for first in range(0, build.tile_inputs, build.rows)]).T
    return _compare(_bytes_of(trits, build), _bytes_of(came, build), build)


def _sums(device: Device, trits: np.ndarray, channels: range) -> np.ndarray:
    """Sums of rows that are 1 in one channel each: int [channels, outputs]."""
    build, (outputs, inputs) = device.build, trits.shape
    program, row_bytes = ShortProgram(device, _BYTES), padded_row_bytes(inputs)
    rows = np.zeros((len(channels), row_bytes // 2), "<i2")
    rows[np.arange(len(channels)), list(channels)] = 1
    steps = np.zeros((len(channels), STEP_BYTES // 4), "<u4")
    steps[:, 0] = to_word(constant(1))
    inputs_at, steps_at = program.place(rows), program.place(steps)
    stream_at = program.place(stripe(weight_stream(trits, build), build))
    sums_at, units_at = program.reserve(len(channels) * outputs * 4), program.reserve(len(channels) * STEP_BYTES)
    beats = weight_beats(outputs, inputs, build)
    load = dict(address_stride=0, offset=0, sequence=0)
    program.list.add(Opcode.STREAM, address=stream_at, beats=beats, head=0, listed=0, row=0, row_beats=0,
                     padding=beats - weight_beats_used(outputs, inputs, build))
    program.list.add(Opcode.LOAD, target=LoadTarget.STEP, address=steps_at, bytes=len(channels) * STEP_BYTES, row=0,
                     **load)
    for row in range(len(channels)):
        last = row == len(channels) - 1
        program.list.add(Opcode.LOAD, target=LoadTarget.INPUT, address=inputs_at + row * row_bytes, bytes=inputs * 2,
                         row=row, signal=(Semaphore.ACTIVATIONS_READY,) if last else (), **load)
    program.list.add(Opcode.MATMUL, wait=(Semaphore.ACTIVATIONS_READY,), signal=(Semaphore.SUMS_READY,), tiles=1,
                     outputs=outputs, grouped=0, group_shift=0, accumulator=0, rows=len(channels), first_row=0,
                     batches=1, padding=0)
    program.list.add(Opcode.STORE, wait=(Semaphore.SUMS_READY,), source=StoreSource.SUMS, first_row=0,
                     rows=len(channels), count=outputs, accumulator=0, group_channels=0, address=sums_at,
                     steps=units_at)
    program.run()
    return program.read(sums_at, len(channels) * outputs * 4).view("<i4").reshape(len(channels), outputs)


def _bytes_of(trits: np.ndarray, build: BuildParameters) -> np.ndarray:
    """Bytes of the beats that hold a tile's trits, [beats, ports, 16]; 255 for sums that are no trits."""
    digits = trits.reshape(-1, TRITS_PER_BYTE).astype(np.int64) + 1
    packed = digits @ 3 ** np.arange(TRITS_PER_BYTE)
    packed[((digits < 0) | (digits > 2)).any(axis=1)] = 255
    return packed.astype(np.uint8).reshape(-1, build.ports, PORT_BYTES)


def _compare(sent: np.ndarray, came: np.ndarray, build: BuildParameters) -> list[PortLines]:
    found = []
    for port in range(build.ports):
        changed = sent[:, port] ^ came[:, port]
        told = changed * (came[:, port] != _INVALID)
        bits = np.flatnonzero(np.unpackbits(told if told.any() else changed, axis=1, bitorder="little").any(axis=0))
        found.append(PortLines(port, changed.size, int(np.count_nonzero(changed)), tuple(bits.tolist())))
    return found
