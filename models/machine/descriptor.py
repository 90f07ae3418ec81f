"""Descriptors: the 64-byte commands that the sequencer fetches from DRAM and hands to engine queues.

Word 0 holds engine, opcode and flags, word 1 the semaphores to take before the start (wait) and to
give at the end (signal). The other words belong to the opcode. What depends on a token's place is computed from the
position register of the descriptor's `sequence`, so that one program serves every token. Rows that belong to one
sequence are adjacent: `rows` of them from `first_row` on. docs/program.md.

`OPCODES` is the one table of operations. From it come `pack` and `unpack`, the records that the emulator runs, the
layouts and shapes of `hw.command`, the structure of the compiled kernels (`host.emulator.native_operation`) and the
table of docs/program.md (`models.machine.operation_table`).
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

__all__ = ["DESCRIPTOR_BYTES", "HEADER", "OPCODES", "SEMAPHORES", "STEP_BYTES", "Activation", "Descriptor", "Engine",
           "Field", "LoadTarget", "Loop", "NormSource", "Opcode", "Operation", "StoreSource", "pack", "unpack"]

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
    AFFINE = 7  # gain, add: 2 x 16 bits a channel, of a tap without clip and threshold


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


class Loop(IntEnum):
    """Whether RESIDUAL's tap is a closed loop, and when that acts."""

    NONE = 0
    ALWAYS = 1
    BELOW = 2  # while the dot product lies below the setpoint
    ABOVE = 3


@dataclass(frozen=True)
class Field:
    """`width` bits from bit `offset` of the descriptor, counted over all its words: so many of `unit`.

    unit: a word or two, or the enumeration that the values are of. "address": a byte of the program's memory, or of
    the cache as `models.machine.cache` numbers them; "scalar": the word of a scalar; "exponent": a power of two.
    """

    name: str
    offset: int
    width: int
    unit: str | type[IntEnum]
    signed: bool = False


class Descriptor:
    """A descriptor's fields as attributes, integers: those of the header and of its operation.

    Each operation has a record of its own (`Operation.record`), a named tuple.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        opcode: Opcode

        def __getattr__(self, name: str) -> int: ...

        _fields: tuple[str, ...]

        def _asdict(self) -> dict[str, int]: ...

    def has(self, name: str) -> bool:
        """Whether there is such a field."""
        return name in self._fields

    def packed(self, **changes: int) -> bytes:
        """As it lies in memory, with some fields changed."""
        fields = self._asdict() | changes
        del fields["engine"], fields["opcode"]
        return pack(self.opcode, **fields)


@dataclass(frozen=True)
class Operation:
    """One opcode: its engine, its fields, and the record of its descriptors."""

    opcode: Opcode
    engine: Engine
    fields: tuple[Field, ...]
    record: type[Descriptor]


HEADER = (Field("engine", 0, 4, Engine), Field("opcode", 4, 4, Opcode), Field("wait", 32, 16, "semaphores"),
          Field("signal", 48, 16, "semaphores"))

_WORD = 32
_Given = tuple[str, int, "str | type[IntEnum]"] | tuple[str, int, "str | type[IntEnum]", bool]


def _words(opcode: Opcode, engine: Engine, *given: _Given) -> Operation:
    """Lay fields out from word 2 on; a field never crosses into a new word unless it starts one."""
    fields, position = [], 2 * _WORD
    for name, width, unit, *signed in given:
        if position % _WORD + width > _WORD and position % _WORD:
            position += _WORD - position % _WORD
        fields.append(Field(name, position, width, unit, bool(signed and signed[0])))
        position += width
    if position > DESCRIPTOR_BYTES * 8:
        raise ValueError(f"{opcode.name} has {position} bits of fields, more than a descriptor")
    name = opcode.name.capitalize()
    values = namedtuple(name, [field.name for field in (*HEADER, *fields)])
    return Operation(opcode, engine, tuple(fields), type(name, (Descriptor, values), {"__slots__": ()}))


# what a descriptor works on: rows first_row .. first_row + rows - 1, each of `count` or `dim` channels
_ROWS = (("rows", 8, "rows"), ("first_row", 8, "row"))
# which are tokens of a sequence, the first one `token` behind its position
_SEQUENCE = (("sequence", 4, "sequence"), ("token", 8, "tokens"))
_TAP = (("tap", 1, "flag"), ("tap_add_exponent", 7, "exponent", True), ("tap_clip_exponent", 7, "exponent", True),
        ("tap_threshold_exponent", 7, "exponent", True))
_HEADS = (*_ROWS, ("dim", 16, "channels"), ("heads", 8, "heads"), ("accumulator", 16, "word"), ("scale", 32, "scalar"))
_CACHE = (*_HEADS, *_SEQUENCE, ("address", 40, "address"), ("address_stride", 16, "bytes"),
          ("scale_address", 40, "address"), ("block_bytes", 16, "bytes"), ("head_bytes", 32, "bytes"),
          ("region_bytes", 32, "bytes"), ("scale_block_bytes", 16, "bytes"))
# an RMSNorm of each head before RoPE, its gains loaded: CPU alone
_NORMED = (("normed", 1, "flag"), ("norm_gain", 32, "scalar"), ("norm_eps", 32, "scalar"))

OPCODES: dict[Opcode, Operation] = {
    op.opcode: op
    for op in (
        _words(Opcode.STREAM, Engine.FETCH, ("address", 40, "address"), ("beats", 32, "beats"), ("padding", 4, "beats"),
               ("head", 1, "flag"), ("listed", 8, "ids"), ("row", 8, "row"), ("row_beats", 16, "beats")),
        _words(Opcode.LOAD, Engine.LOAD, ("address", 40, "address"), ("target", 4, LoadTarget),
               ("address_stride", 24, "bytes"), ("bytes", 24, "bytes"), ("offset", 16, "elements"),
               ("sequence", 4, "sequence"), ("row", 8, "row")),
        _words(Opcode.MATMUL, Engine.LINEAR, *_ROWS, ("tiles", 16, "tiles"), ("outputs", 16, "outputs"),
               ("accumulator", 16, "word"), ("batches", 8, "batches"), ("padding", 8, "outputs"),
               ("grouped", 1, "flag"), ("group_shift", 6, "bits")),
        _words(Opcode.NORM, Engine.VECTOR, *_ROWS, ("count", 16, "channels"), ("source", 2, NormSource),
               ("rms", 1, "flag"), ("gained", 1, "flag"), ("levels16", 1, "flag"), ("activation", 1, Activation),
               ("unit_exponent", 8, "exponent", True), ("group_channels", 16, "channels"), *_TAP,
               ("eps_sum", 32, "scalar"), ("gain", 32, "scalar"), ("gate_accumulator", 16, "word"),
               ("up_accumulator", 16, "word"), ("gate_scale", 32, "scalar"), ("up_scale", 32, "scalar")),
        _words(Opcode.QUERY, Engine.VECTOR, *_HEADS, *_NORMED),
        _words(Opcode.KEY, Engine.VECTOR, *_CACHE, *_NORMED),
        _words(Opcode.VALUE, Engine.VECTOR, *_CACHE),
        _words(Opcode.RESIDUAL, Engine.VECTOR, *_ROWS, ("count", 16, "channels"), ("fraction_bits", 8, "bits", True),
               ("accumulator", 16, "word"), ("scale", 32, "scalar"), *_TAP, ("loop", 2, Loop),
               ("setpoint", 64, "products", True)),
        _words(Opcode.ATTEND, Engine.ATTEND, *_ROWS, ("dim", 16, "channels"), ("heads", 8, "heads"),
               ("kv_heads", 8, "heads"), *_SEQUENCE, ("key_scales", 40, "address"), ("value_scales", 40, "address"),
               ("keys", 40, "address"), ("values", 40, "address"), ("head_bytes", 32, "bytes"),
               ("row_bytes", 16, "bytes"), ("block_bytes", 16, "bytes"), ("score_constant", 32, "scalar"),
               ("region_bytes", 32, "bytes")),
        _words(Opcode.LOGITS, Engine.HEAD, *_ROWS, ("count", 16, "channels"), ("vocab", 24, "ids"), ("k", 8, "ids"),
               ("write_logits", 1, "flag"), ("listed", 1, "flag"), ("logits", 40, "address"), ("top", 40, "address"),
               ("grouped", 1, "flag")),
        _words(Opcode.SELECT, Engine.VECTOR, *_ROWS, ("count", 16, "ids"), ("accumulator", 16, "word"),
               ("first_id", 24, "id"), ("k", 8, "ids"), ("begin", 1, "flag")),
        _words(Opcode.STORE, Engine.VECTOR, *_ROWS, ("count", 16, "channels"), ("source", 2, StoreSource),
               ("accumulator", 16, "word"), ("group_channels", 16, "channels"), ("address", 40, "address"),
               ("steps", 40, "address")),
    )
}
"""All operations. `word`: of the accumulators, Q sums of a row."""


class _Place(NamedTuple):
    """Where a field goes, and what it holds."""

    offset: int
    mask: int
    low: int
    high: int

    @classmethod
    def of(cls, field: Field) -> _Place:
        extent = 1 << field.width
        low, high = (-extent // 2, extent // 2) if field.signed else (0, extent)
        return cls(field.offset, extent - 1, low, high - 1)


_PLACES = {opcode: {field.name: _Place.of(field) for field in HEADER + operation.fields}
           for opcode, operation in OPCODES.items()}  # once, for a long prompt has a hundred thousand descriptors


def pack(opcode: Opcode, *, wait: int = 0, signal: int = 0, **values: int) -> bytes:
    """One descriptor. Every field of the opcode is given by name; a missing, unknown or too wide one raises."""
    places = _PLACES[opcode]
    values |= {"engine": OPCODES[opcode].engine, "opcode": opcode, "wait": wait, "signal": signal}
    if values.keys() != places.keys():
        raise ValueError(f"{opcode.name}: missing or unknown fields {sorted(values.keys() ^ places.keys())}")
    word = 0
    for name, (offset, mask, low, high) in places.items():
        value = int(values[name])
        if not low <= value <= high:
            raise ValueError(f"{opcode.name}.{name} = {value} does not fit {mask.bit_length()} bits")
        word |= (value & mask) << offset
    return word.to_bytes(DESCRIPTOR_BYTES, "little")


@lru_cache(maxsize=4096)
def unpack(data: bytes) -> Descriptor:
    """The record of one descriptor; `ValueError` where there is no such opcode."""
    word = int.from_bytes(data, "little")
    opcode = Opcode((word >> 4) & 15)
    operation = OPCODES[opcode]
    values = []
    for field in HEADER + operation.fields:
        value = (word >> field.offset) & ((1 << field.width) - 1)
        if field.signed and value >> (field.width - 1):
            value -= 1 << field.width
        values.append(value)
    values[1] = opcode  # with its name
    return operation.record(*values)
