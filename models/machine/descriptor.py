"""Descriptors: the 64-byte commands that the sequencer fetches from DRAM and hands to engine queues.

Word 0 holds engine, opcode and flags, word 1 the semaphores to take before the start (wait) and to
give at the end (signal). The other words belong to the opcode. An address field spans 40 bits. What
depends on a token's place is reckoned from the position register of the descriptor's `sequence`, so that one
program serves every token. Rows that belong to one sequence are adjacent: `rows` of them from `first_row` on.
docs/program.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

__all__ = ["DESCRIPTOR_BYTES", "HEADER", "OPCODES", "SEMAPHORES", "STEP_BYTES", "Activation", "Engine", "Field",
           "LoadTarget", "NormSource", "Opcode", "Operation", "StoreSource", "pack", "unpack"]

DESCRIPTOR_BYTES = 64
STEP_BYTES = 16
"""From a row's step in memory to the next one's, of LOAD and STORE."""
SEMAPHORES = 16


class Engine(IntEnum):
    """Engines, one queue each."""

    FETCH = 0  # weight and head streams from DRAM, ahead of use
    LOAD = 1  # parameter vectors into on-chip memories
    LINEAR = 2  # the table look-up array
    VECTOR = 3  # everything element by element
    ATTEND = 4
    HEAD = 5


class Opcode(IntEnum):
    """Operations; the engine is part of the operation."""

    STREAM = 0
    LOAD = 1
    MATMUL = 2
    NORM = 3
    QUERY = 4
    KEY = 5
    VALUE = 6
    RESIDUAL = 7
    ATTEND = 8
    LOGITS = 9
    SELECT = 10
    STORE = 11


class LoadTarget(IntEnum):
    """On-chip memories that LOAD fills."""

    RESIDUAL = 0  # int32 a channel
    GAIN = 1  # int16 a channel
    TAP = 2  # gain, add, clip, threshold: 4 x 16 bits a channel
    ROPE = 3  # int16: dim/2 cosines, dim/2 sines
    INPUT = 4  # int16 a channel, within int8: a row of a linear layer's input
    HEAD_INPUT = 5  # int16 a channel: a row of the head's input
    STEP = 6  # 16 bytes a row, of which a scalar's word counts: the value of one unit of its input


class NormSource(IntEnum):
    """Where NORM takes its vector from."""

    RESIDUAL = 0
    ATTENTION = 1
    GATED = 2


class StoreSource(IntEnum):
    """What STORE writes, int32 a channel, as NORM takes it."""

    RESIDUAL = 0
    ATTENTION = 1  # aligned to the largest exponent of the row
    SUMS = 2


class Activation(IntEnum):
    """Gate activation of NORM with source GATED."""

    RELU2 = 0
    SILU = 1


@dataclass(frozen=True)
class Field:
    """`width` bits from bit `offset` of the descriptor, counted over all its words."""

    name: str
    offset: int
    width: int
    signed: bool = False


@dataclass(frozen=True)
class Operation:
    """One opcode: its engine and its fields."""

    opcode: Opcode
    engine: Engine
    fields: tuple[Field, ...]


HEADER = (Field("engine", 0, 4), Field("opcode", 4, 4), Field("wait", 32, 16), Field("signal", 48, 16))

_WORD = 32


def _words(opcode: Opcode, engine: Engine, *names: tuple[str, int] | tuple[str, int, bool]) -> Operation:
    """Lay fields out from word 2 on; a field never crosses into a new word unless it starts one."""
    fields, position = [], 2 * _WORD
    for name, width, *signed in names:
        if position % _WORD + width > _WORD and position % _WORD:
            position += _WORD - position % _WORD
        fields.append(Field(name, position, width, bool(signed and signed[0])))
        position += width
    if position > DESCRIPTOR_BYTES * 8:
        raise ValueError(f"{opcode.name} has {position} bits of fields, more than a descriptor")
    return Operation(opcode, engine, tuple(fields))


# what a descriptor works on: rows first_row .. first_row + rows - 1, each of `count` or `dim` channels
_ROWS = (("rows", 8), ("first_row", 8))
# which are tokens of a sequence, the first one `token` behind its position
_SEQUENCE = (("sequence", 4), ("token", 8))
_TAP = (("tap", 1), ("tap_add_exponent", 7, True), ("tap_clip_exponent", 7, True), ("tap_threshold_exponent", 7, True))
_HEADS = (*_ROWS, ("dim", 16), ("heads", 8), ("accumulator", 16), ("scale", 32))
_CACHE = (*_HEADS, *_SEQUENCE, ("address", 40), ("address_stride", 16), ("scale_address", 40), ("block_bytes", 16),
          ("head_bytes", 32), ("region_bytes", 32), ("scale_block_bytes", 16))

OPCODES: dict[Opcode, Operation] = {
    op.opcode: op
    for op in (
        _words(Opcode.STREAM, Engine.FETCH, ("address", 40), ("beats", 32), ("padding", 4), ("head", 1), ("listed", 8),
               ("row", 8), ("row_beats", 16)),
        _words(Opcode.LOAD, Engine.LOAD, ("address", 40), ("target", 4), ("address_stride", 24), ("bytes", 24),
               ("offset", 16), ("sequence", 4), ("row", 8)),
        _words(Opcode.MATMUL, Engine.LINEAR, *_ROWS, ("tiles", 16), ("outputs", 16), ("accumulator", 16),
               ("batches", 8), ("padding", 8)),
        _words(Opcode.NORM, Engine.VECTOR, *_ROWS, ("count", 16), ("source", 2), ("rms", 1), ("gained", 1),
               ("levels16", 1), ("activation", 1), ("unit_exponent", 8, True), ("group_channels", 16), *_TAP,
               ("eps_sum", 32), ("gain", 32),
               ("gate_accumulator", 16), ("up_accumulator", 16), ("gate_scale", 32), ("up_scale", 32)),
        _words(Opcode.QUERY, Engine.VECTOR, *_HEADS),
        _words(Opcode.KEY, Engine.VECTOR, *_CACHE),
        _words(Opcode.VALUE, Engine.VECTOR, *_CACHE),
        _words(Opcode.RESIDUAL, Engine.VECTOR, *_ROWS, ("count", 16), ("fraction_bits", 8, True), ("accumulator", 16),
               ("scale", 32), *_TAP),
        _words(Opcode.ATTEND, Engine.ATTEND, *_ROWS, ("dim", 16), ("heads", 8), ("kv_heads", 8), *_SEQUENCE,
               ("key_scales", 40), ("value_scales", 40), ("keys", 40), ("values", 40), ("head_bytes", 32),
               ("row_bytes", 16), ("block_bytes", 16), ("score_constant", 32), ("region_bytes", 32)),
        _words(Opcode.LOGITS, Engine.HEAD, *_ROWS, ("count", 16), ("vocab", 24), ("k", 8), ("write_logits", 1),
               ("listed", 1), ("logits", 40), ("top", 40)),
        _words(Opcode.SELECT, Engine.VECTOR, *_ROWS, ("count", 16), ("accumulator", 16), ("first_id", 24), ("k", 8),
               ("begin", 1)),
        _words(Opcode.STORE, Engine.VECTOR, *_ROWS, ("count", 16), ("source", 2), ("accumulator", 16),
               ("group_channels", 16), ("address", 40), ("steps", 40)),
    )
}


def _fields(opcode: Opcode) -> tuple[Field, ...]:
    return HEADER + OPCODES[opcode].fields


def pack(opcode: Opcode, *, wait: int = 0, signal: int = 0, **values: int) -> bytes:
    """One descriptor. Every field of the opcode is given by name; a missing, unknown or too wide one raises."""
    operation = OPCODES[opcode]
    given: Mapping[str, int] = {"engine": operation.engine, "opcode": opcode, "wait": wait, "signal": signal, **values}
    fields = _fields(opcode)
    if unknown := set(given) ^ {f.name for f in fields}:
        raise ValueError(f"{opcode.name}: missing or unknown fields {sorted(unknown)}")
    word = 0
    for field in fields:
        value = int(given[field.name])
        low, high = (-(1 << (field.width - 1)), 1 << (field.width - 1)) if field.signed else (0, 1 << field.width)
        if not low <= value < high:
            raise ValueError(f"{opcode.name}.{field.name} = {value} does not fit {field.width} bits")
        word |= (value & ((1 << field.width) - 1)) << field.offset
    return word.to_bytes(DESCRIPTOR_BYTES, "little")


@lru_cache(maxsize=4096)
def unpack(data: bytes) -> tuple[Opcode, dict[str, int]]:
    """Opcode and all fields of one descriptor; the dictionary is shared between calls, not to be changed."""
    word = int.from_bytes(data, "little")
    opcode = Opcode((word >> 4) & 15)
    values = {}
    for field in _fields(opcode):
        value = (word >> field.offset) & ((1 << field.width) - 1)
        if field.signed and value >> (field.width - 1):
            value -= 1 << field.width
        values[field.name] = value
    return opcode, values
