"""What travels between the engines and the memory system."""

from __future__ import annotations

from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

from hw.memory.axi import ADDRESS_BITS, DATA_BITS
from models.machine.build import BURST_BEATS, PORT_BYTES

__all__ = ["ARRIVAL", "BURST", "BURST_BYTES", "LOAD_ELEMENT", "READ_REQUEST", "WRITE_BEAT"]

BURST_BYTES = BURST_BEATS * PORT_BYTES

BURST = data.StructLayout({"address": ADDRESS_BITS, "length": 4})
"""Read burst of `length` + 1 beats that does not leave its 256-byte block."""

ARRIVAL = wiring.Signature({"payload": Out(DATA_BITS), "valid": Out(1)})
"""A beat that comes back for a burst: taken at once, since whoever asked for it has reserved the room."""

READ_REQUEST = data.StructLayout({"address": ADDRESS_BITS, "bytes": 32})
"""Address: a multiple of 16. Bytes are rounded up to whole beats; 0 asks for nothing."""

WRITE_BEAT = data.StructLayout({"address": ADDRESS_BITS, "data": DATA_BITS, "strobe": DATA_BITS // 8})
"""One beat. Address: a multiple of 16; strobe bit i writes byte i."""

LOAD_ELEMENT = data.StructLayout({"target": 4, "index": 16, "data": 64})
"""One element for an on-chip memory, sign-extended."""
