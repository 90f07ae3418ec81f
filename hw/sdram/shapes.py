"""What goes between the parts of the SDRAM controller."""

from __future__ import annotations

from amaranth.hdl import Cat, Value
from amaranth.lib import data
from amaranth.utils import exact_log2

from hw.memory.axi import ID_BITS
from hw.sdram.pins import BANK_BITS, BEAT_WORDS, COLUMN_BITS, ROW_BITS, SIZE

__all__ = ["ANSWER", "BEAT_COLUMN_BITS", "BURSTS", "JOB", "MASTER_BITS", "PLACE", "RING_WORDS", "SIZE_BITS", "place"]

MASTER_BITS = 2
BEAT_COLUMN_BITS = COLUMN_BITS - exact_log2(BEAT_WORDS)
BURSTS = 8
"""Of one master, that may be under way in each direction."""
RING_WORDS = BURSTS * 16 * BEAT_WORDS
"""Of a buffer that holds them all."""
SIZE_BITS = exact_log2(SIZE)
_BEAT_BITS = 4  # of a byte address, within a beat

PLACE = data.StructLayout({"column": BEAT_COLUMN_BITS, "bank": BANK_BITS, "row": ROW_BITS})
"""Of a beat: `column` counts beats. The next kilobyte is in the next bank, so that its row can be opened meanwhile."""

JOB = data.StructLayout({"place": PLACE, "length": 4, "write": 1, "master": MASTER_BITS})
"""A burst: `length` + 1 beats within a row."""

ANSWER = data.StructLayout({"identity": ID_BITS, "length": 8, "refused": 1})
"""What a master is told of a burst, in the order of its addresses. length: as AXI has it; a refused one may be long."""


def place(address: Value) -> Value:
    """`PLACE` of a byte address."""
    return Cat(address[_BEAT_BITS:SIZE_BITS])
