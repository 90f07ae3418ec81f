"""Commands as the engines see them: the descriptor's 512 bits behind a layout made from the shared table."""

from __future__ import annotations

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from models.machine.descriptor import DESCRIPTOR_BYTES, HEADER, OPCODES, Opcode
from models.machine.registers import SEQUENCES

__all__ = ["COMMAND_BITS", "HEADER_LAYOUT", "POSITIONS", "command_layout"]

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
