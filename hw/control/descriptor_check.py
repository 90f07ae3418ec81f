"""Descriptor check: what the sequencer refuses to hand to an engine."""

from __future__ import annotations

from amaranth.hdl import Const, Value
from amaranth.lib import data

from hw.command import HEADER_LAYOUT, command_layout
from hw.memory.shapes import BURST_BYTES
from models.machine.build import BURST_BEATS, PORT_BYTES
from models.machine.descriptor import OPCODES, LoadTarget, Opcode

__all__ = ["malformed"]


def _low_bits(value: Value, unit: int) -> Value:
    """Whether `value` is not a multiple of the power of two `unit`."""
    return value[:(unit - 1).bit_length()].any()


def malformed(descriptor: Value) -> Value:
    """Whether a descriptor has an unknown opcode, another engine's opcode, or a misaligned transfer.

    STREAM takes whole groups of 16 beats from 256-byte blocks, listed rows of the head alone; LOGITS of such rows
    are not written; LOAD takes beats of 16 bytes, also from one
    position to the next, for a memory that exists; STORE writes such beats. Combinational.
    """
    header = data.View(HEADER_LAYOUT, descriptor)
    stream = data.View(command_layout(Opcode.STREAM), descriptor)
    load = data.View(command_layout(Opcode.LOAD), descriptor)
    logits = data.View(command_layout(Opcode.LOGITS), descriptor)
    store = data.View(command_layout(Opcode.STORE), descriptor)

    known = Const(0, 1)
    for operation in OPCODES.values():
        known = known | ((header.opcode == operation.opcode) & (header.engine == operation.engine))
    bad_stream = _low_bits(stream.address, BURST_BYTES) | _low_bits(stream.beats, BURST_BEATS)
    bad_rows = (stream.listed != 0) & (~stream.head | (stream.row_beats == 0))
    bad_load = (_low_bits(load.address, PORT_BYTES) | _low_bits(load.address_stride, PORT_BYTES)
                | (load.target > max(LoadTarget)))
    bad_store = _low_bits(store.address, PORT_BYTES) | _low_bits(store.steps, PORT_BYTES)
    return (~known | ((header.opcode == Opcode.STREAM) & (bad_stream | bad_rows))
            | ((header.opcode == Opcode.LOGITS) & logits.listed & logits.write_logits)
            | ((header.opcode == Opcode.LOAD) & bad_load) | ((header.opcode == Opcode.STORE) & bad_store))
