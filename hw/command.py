"""Commands as the engines see them: the descriptor's 512 bits behind a layout made from the shared table."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.hdl import Shape, Value, signed, unsigned
from amaranth.lib import data

from models.machine.descriptor import DESCRIPTOR_BYTES, HEADER, OPCODES, Opcode
from models.machine.registers import SEQUENCES

__all__ = ["COMMAND_BITS", "HEADER_LAYOUT", "POSITIONS", "command_layout", "field_shapes", "shared_field"]

COMMAND_BITS = DESCRIPTOR_BYTES * 8
POSITIONS = data.ArrayLayout(unsigned(16), SEQUENCES)
"""Tokens in each sequence's cache as the run began; a command's `sequence` picks one."""


def _layout(fields) -> data.FlexibleLayout:
    shapes = {f.name: data.Field(signed(f.width) if f.signed else unsigned(f.width), f.offset) for f in fields}
    return data.FlexibleLayout(COMMAND_BITS, shapes)


HEADER_LAYOUT = _layout(HEADER)


def command_layout(opcode: Opcode) -> data.FlexibleLayout:
    """The view of a command of this opcode: `data.View(command_layout(op), payload)`."""
    return _layout(HEADER + OPCODES[opcode].fields)


def field_shapes(opcode: Opcode, *names: str) -> dict[str, Shape]:
    """Shapes of some of an operation's fields by name, for whoever takes them from a command."""
    layout = command_layout(opcode)
    return {name: Shape.cast(layout[name].shape) for name in names}


def shared_field(command: Value, opcodes: Iterable[Opcode], *names: str) -> Value:
    """The field of a command that lies at the same bits in each of `opcodes`, which call it by one of `names`.

    So its user need not know the opcode. `ValueError` where one of them has it elsewhere, or not at all.
    """
    found = {opcode: next(((f.offset, f.width, f.signed) for f in OPCODES[opcode].fields if f.name in names), None)
             for opcode in opcodes}
    if len(places := set(found.values())) != 1 or None in places:
        raise ValueError(f"{' or '.join(names)} is not shared: offset, width, sign are " + ", ".join(
            f"{place} in {opcode.name}" for opcode, place in found.items()))
    offset, width, sign = places.pop()
    field = command[offset:offset + width]
    return field.as_signed() if sign else field
