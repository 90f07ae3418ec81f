"""What travels between the engines and the memory system."""

from __future__ import annotations

from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

from hw.memory.axi import ADDRESS_BITS, DATA_BITS
from hw.memory.axi import ID_BITS as AXI_ID_BITS
from models.machine.build import BURST_BEATS, PORT_BYTES
from models.machine.descriptor import LoadTarget
from models.machine.registers import PORTS, Client

__all__ = ["ARRIVAL", "BURST", "BURST_BYTES", "ID_BITS", "LISTED_ROW", "LIST_PLACE", "LOAD_CHANNELS", "LOAD_WORD",
           "MASTER_FAULT", "MEMORY_FAULT", "READ_REQUEST", "WRITE_BEAT"]

BURST_BYTES = BURST_BEATS * PORT_BYTES

BURST = data.StructLayout({"address": ADDRESS_BITS, "length": 4})
"""Read burst of `length` + 1 beats that does not leave its 256-byte block."""

ARRIVAL = wiring.Signature({"payload": Out(DATA_BITS), "valid": Out(1)})
"""A beat that comes back for a burst: taken at once, since whoever asked for it has reserved the room."""

READ_REQUEST = data.StructLayout({"address": ADDRESS_BITS, "bytes": 32})
"""Address: a multiple of 16. Bytes are rounded up to whole beats; 0 asks for nothing."""

WRITE_BEAT = data.StructLayout({"address": ADDRESS_BITS, "data": DATA_BITS, "strobe": DATA_BITS // 8, "left": 4})
"""One beat; `left` more of its burst come behind it. Address: of a burst's first beat, a multiple of 16; a burst does
not leave its 256-byte block. Strobe bit i writes byte i."""

LOAD_WORD = data.StructLayout({"target": 4, "row": 8, "index": 16, "data": DATA_BITS})
"""Some channels for an on-chip memory, the first of them number `index`, lowest bits first. An input's are
of row `row`; a step is that of row `row` + `index`."""

LOAD_CHANNELS = {LoadTarget.RESIDUAL: 4, LoadTarget.GAIN: 4, LoadTarget.TAP: 2, LoadTarget.ROPE: 4,
                 LoadTarget.INPUT: 4, LoadTarget.HEAD_INPUT: 4, LoadTarget.STEP: 1,
                 LoadTarget.AFFINE: 4}
"""Channels of a LOAD_WORD: 4 x 32, 4 x 16, 2 x 64, 4 x 16 bits, twice 4 x 16, a row in 128 bits, 4 x 32."""

MASTER_FAULT = data.StructLayout({"client": AXI_ID_BITS, "response": 2, "address": ADDRESS_BITS})
"""What a master says of an access that failed: its client's number, and as in MEMORY_FAULT."""

MEMORY_FAULT = data.StructLayout({"client": range(len(Client)), "port": range(PORTS), "write": 1, "response": 2,
                                  "address": ADDRESS_BITS})
"""An access that failed: with an error response, or, where that is OKAY, a burst that was refused, at `address`."""

ID_BITS = 24
"""Of a vocabulary row's number."""

LIST_PLACE = data.StructLayout({"row": 8, "index": 8})
"""Of an id in the shortlists: entry `index` of row `row`'s list."""

LISTED_ROW = data.StructLayout({"id": ID_BITS, "place": 4})
"""A vocabulary row that comes out of its turn: its id, and the scale word of its block that is its own."""
