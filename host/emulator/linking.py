"""From a program's descriptors to the list that the compiled machine walks: streams resolved to pointers."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from host.emulator.accumulators import written_sums
from host.emulator.dealing import Dealing
from host.emulator.image import ProgramError
from host.emulator.native_operation import TOP, TURN, Live, NativeOperation
from host.emulator.skipping import Skip, skips_of
from host.emulator.streams import Columns, Groups, Streams
from models.machine.descriptor import Descriptor, LoadTarget, Opcode
from models.ternary_groups import GROUP

__all__ = ["Linked", "link"]

class Linked(NamedTuple):
    """weight_bytes: read in a run; residual_size: int32s."""

    operations: ctypes.Array
    weight_bytes: int
    invalid_bytes: int
    residual_size: int


def link(program: Sequence[Descriptor], streams: Streams, outputs_per_step: int, *, skip: bool) -> Linked:
    """Link a decoded program of a build. The result points into `streams`, which must outlive it.

    skip: products leave out what a zero makes useless.

    `ProgramError` where a matrix product has no stream to consume.
    """
    native: list[NativeOperation] = []
    fetched: deque[tuple[int, int | None]] = deque()  # address, row of the list
    offered: dict[int, int] = {}  # ids among which a row's shortlist is chosen
    dealing = Dealing()
    size = invalid = residual = 0
    skips = skips_of(program, outputs_per_step) if skip else {}
    for index, fields in enumerate(program):
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
        elif opcode == Opcode.MATMUL and fields.grouped:
            groups = streams.groups(fetched.popleft()[0], fields.outputs, fields.tiles)
            _set_groups(item, groups)
            item.outputs = written_sums(fields.outputs, fields.padding, outputs_per_step)
            size += groups.packed.size
        elif opcode == Opcode.MATMUL:
            address = fetched.popleft()[0]
            weights = streams.weights(address, fields.tiles, fields.outputs)
            item.weights = ctypes.cast(weights.packed.ctypes.data, type(item.weights))
            item.width = weights.packed.shape[1]
            item.outputs = written_sums(fields.outputs, fields.padding, outputs_per_step)
            if index in skips:
                _add_skip(item, skips[index], streams.columns(address) if skips[index].live == Live.COLUMNS else None)
            native[-1:] = [each for part in dealing.products(item) for each in _with_turn(part)]
            size += weights.packed.size
            invalid += weights.invalid
        elif opcode == Opcode.SELECT:
            rows = range(fields.first_row, fields.first_row + fields.rows)
            offered.update(dict.fromkeys(rows, fields.first_id + fields.count))
        elif opcode == Opcode.LOGITS:
            (address, row), vocab = fetched.popleft(), fields.vocab
            if bool(fields.listed) != (row is not None):
                raise ProgramError("LOGITS and its stream differ in whether they are of a list")
            if fields.grouped:
                groups = fields.count // GROUP
                _set_groups(item, streams.groups(address, vocab, groups))
                scales = streams.group_scales(address, vocab, groups)
                item.head_scales = ctypes.cast(scales.ctypes.data, type(item.head_scales))
                native.append(_best_of(item))
                continue
            if row is not None:
                item.row, vocab = row, offered[row]
            head = streams.head(address, vocab, fields.count)
            item.head = ctypes.cast(head.rows.ctypes.data, type(item.head))
            item.head_scales = ctypes.cast(head.scales.ctypes.data, type(item.head_scales))
            native.append(_best_of(item))
    _lay_rows(native)
    return Linked((NativeOperation * len(native))(*native), size, invalid, residual)


def _set_groups(item: NativeOperation, groups: Groups) -> None:
    item.weights = ctypes.cast(groups.packed.ctypes.data, type(item.weights))
    item.mantissas = ctypes.cast(groups.mantissas.ctypes.data, type(item.mantissas))
    item.width = groups.packed.shape[1]


def _best_of(logits: NativeOperation) -> NativeOperation:
    best = NativeOperation.from_buffer_copy(logits)
    best.opcode = TOP
    return best


def _lay_rows(native: Sequence[NativeOperation]) -> None:
    """Let all that gives rows of activations lay them as the program's products take them."""
    kinds = {bool(item.grouped) for item in native if item.opcode == Opcode.MATMUL}
    if len(kinds) > 1:
        raise ProgramError("some matrices of a program have scales by group, some have not")
    for item in native:
        if item.opcode in (Opcode.NORM, Opcode.LOAD):
            item.grouped = int(True in kinds)


def _add_skip(product: NativeOperation, skip: Skip, columns: Columns | None) -> None:
    product.live = skip.live
    if skip.norm is not None:
        for name in ("gate_accumulator", "gate_scale", "activation"):
            setattr(product, name, getattr(skip.norm, name))
    if columns is not None:
        product.columns = ctypes.cast(columns.packed.ctypes.data, type(product.columns))
        product.turned = ctypes.cast(columns.filled.ctypes.data, type(product.turned))
        product.column_bytes = columns.packed.shape[1]


def _with_turn(product: NativeOperation) -> list[NativeOperation]:
    """A product, behind what fills its columns where it may take them."""
    if product.live != Live.COLUMNS:
        return [product]
    turn = NativeOperation.from_buffer_copy(product)
    turn.opcode = TURN
    return [turn, product]
