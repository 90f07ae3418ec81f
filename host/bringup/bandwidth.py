"""Rate of each memory port, by the fabric's own counters, for streams laid in different ways.

What four streams get depends on where they start relative to each other, modulo 64 KiB (docs/memory-model.md). Port p's
part of a stream of g beats starts p x 16 g bytes from the stream's start, so streams of different lengths have
different placements. Each is read by short programs: STREAM after STREAM, with MATMULs that take what comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.bringup.short_program import ShortProgram
from host.compiler.descriptor_list import Semaphore
from host.compiler.memory_map import padded_row_bytes
from host.devices.base import Device
from models.machine.build import BURST_BEATS, PORT_BYTES, BuildParameters
from models.machine.descriptor import DESCRIPTOR_BYTES, LoadTarget, Opcode
from models.machine.layout import stripe

__all__ = ["PLACEMENTS", "Placement", "measure_placements"]

PLACEMENTS = (1024, 768, 512, 384, 256, 128)
"""Beats of the streams: 16, 12, 8, 6, 4 and 2 KiB from port to port."""
_LEAST_BEATS = 64
_ZEROS = 121  # a byte of five zero trits


@dataclass(frozen=True)
class Placement:
    """What streams of `beats` beats, `apart` bytes from port to port, got of the memory.

    gb_s: all ports, over the time in which the slowest had reads under way. port_gb_s: each port, over its own.
    """

    beats: int
    apart: int
    gb_s: float
    port_gb_s: tuple[float, ...]


def measure_placements(device: Device, clock_mhz: float, size: int) -> list[Placement]:
    """Each of `PLACEMENTS` that the build's memories take, with about `size` bytes read; empty where the device counts
    no beats."""
    found = []
    for beats in PLACEMENTS:
        outputs = _outputs(beats, device.build)
        if beats < _LEAST_BEATS or outputs > _most_outputs(device.build):
            continue
        placement = _measure(device, clock_mhz, beats, outputs, max(2, size // (beats * device.build.beat_bytes)))
        if placement is None:
            return []
        found.append(placement)
    return found


def _outputs(beats: int, build: BuildParameters) -> int:
    """Outputs of one tile that use the most of so many beats."""
    whole = build.outputs_align
    return beats * build.beat_bytes * 5 // build.tile_inputs // whole * whole


def _most_outputs(build: BuildParameters) -> int:
    return build.batch_words * build.outputs_per_step


def _measure(device: Device, clock_mhz: float, beats: int, outputs: int, count: int) -> Placement | None:
    build = device.build
    size = beats * build.beat_bytes
    used = -(-outputs * build.tile_inputs // 5 // build.beat_bytes)
    if beats - used >= BURST_BEATS:
        return None
    program = ShortProgram(device, count * (size + 2 * DESCRIPTOR_BYTES) + (1 << 16))
    stream = stripe(np.full(size, _ZEROS, np.uint8), build)
    start = program.place(np.tile(stream, count))
    program.list.add(Opcode.LOAD, signal=(Semaphore.ACTIVATIONS_READY,), target=LoadTarget.INPUT,
                     address=program.place(np.zeros(padded_row_bytes(build.tile_inputs), np.uint8)), address_stride=0,
                     bytes=build.tile_inputs * 2, offset=0, sequence=0, row=0)
    for n in range(count):
        program.list.add(Opcode.STREAM, address=start + n * size, beats=beats, padding=beats - used, head=0, listed=0,
                         row=0, row_beats=0)
        program.list.add(Opcode.MATMUL, wait=() if n else (Semaphore.ACTIVATIONS_READY,), tiles=1, outputs=outputs,
                         grouped=0, group_shift=0, accumulator=0, rows=1, first_row=0, batches=1, padding=0)
    program.run()
    read = [device.get(f"PORT_BEATS_{port}") for port in range(build.ports)]
    cycles = [device.get(f"PORT_CYCLES_{port}") for port in range(build.ports)]
    if not all(read) or not all(cycles):
        return None
    scale = PORT_BYTES * clock_mhz / 1e3
    return Placement(beats, beats * PORT_BYTES, sum(read) / max(cycles) * scale,
                     tuple(n / c * scale for n, c in zip(read, cycles, strict=True)))
