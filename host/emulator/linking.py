"""From a program's descriptors to the list that the compiled machine walks: streams resolved to pointers."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from host.emulator.dealing import Dealing
from host.emulator.image import ProgramError
from host.emulator.native_operation import TOP, NativeOperation
from host.emulator.streams import Streams
from models.machine.descriptor import Descriptor, LoadTarget, Opcode

__all__ = ["Linked", "link"]

class Linked(NamedTuple):
    """weight_bytes: read in a run; residual_size: int32s."""

    operations: ctypes.Array
    weight_bytes: int
    invalid_bytes: int
    residual_size: int


def link(program: Sequence[Descriptor], streams: Streams, outputs_per_step: int) -> Linked:
    """Link a decoded program of a build. The result points into `streams`, which must outlive it.

    `ProgramError` where a matrix product has no stream to consume.
    """
    native: list[NativeOperation] = []
    fetched: deque[tuple[int, int | None]] = deque()  # address, row of the list
    offered: dict[int, int] = {}  # ids among which a row's shortlist is chosen
    dealing = Dealing()
    size = invalid = residual = 0
    for fields in program:
        opcode = fields.opcode
        if opcode == Opcode.STREAM:
            row = fields.row if fields.listed else None
            if row is not None and row not in offered:
                raise ProgramError(f"row {row} has no shortlist")
            fetched.append((fields.address, row))
        else:
            item = NativeOperation.of(fields)
            native.append(item)
        if opcode in (Opcode.MATMUL, Opcode.LOGITS) and not fetched:
            raise ProgramError(f"{opcode.name} has no stream to consume")
        if opcode == Opcode.LOAD and fields.target == LoadTarget.RESIDUAL:
            residual = fields.offset + fields.bytes // 4
        elif opcode == Opcode.LOAD and fields.target == LoadTarget.INPUT:
            item.first_row, item.rows = fields.row, 1
            dealing.add(item)
        elif opcode == Opcode.NORM and not fields.levels16:
            dealing.add(item)
        elif opcode == Opcode.MATMUL:
            weights = streams.weights(fetched.popleft()[0], fields.tiles, fields.outputs)
            item.weights = ctypes.cast(weights.packed.ctypes.data, type(item.weights))
            item.width = weights.packed.shape[1]
            # words of nothing but padding are left alone: what lies there may be another matrix' sums
            item.outputs -= fields.padding // outputs_per_step * outputs_per_step
            native[-1:] = dealing.products(item)
            size += weights.packed.size
            invalid += weights.invalid
        elif opcode == Opcode.SELECT:
            rows = range(fields.first_row, fields.first_row + fields.rows)
            offered.update(dict.fromkeys(rows, fields.first_id + fields.count))
        elif opcode == Opcode.LOGITS:
            (address, row), vocab = fetched.popleft(), fields.vocab
            if bool(fields.listed) != (row is not None):
                raise ProgramError("LOGITS and its stream differ in whether they are of a list")
            if row is not None:
                item.row, vocab = row, offered[row]
            head = streams.head(address, vocab, fields.count)
            item.head = ctypes.cast(head.rows.ctypes.data, type(item.head))
            item.head_scales = ctypes.cast(head.scales.ctypes.data, type(item.head_scales))
            best = NativeOperation.from_buffer_copy(item)
            best.opcode = TOP
            native.append(best)
    return Linked((NativeOperation * len(native))(*native), size, invalid, residual)
