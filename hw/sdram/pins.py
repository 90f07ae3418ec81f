"""The pins of an SDR SDRAM chip of 4 banks x 8,192 rows x 512 columns x 16 bits, and its commands."""

from __future__ import annotations

from enum import IntEnum

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ALL_BANKS", "BANK_BITS", "BEAT_WORDS", "COLUMN_BITS", "COMMAND", "ROW_BITS", "SIZE", "WORD_BITS",
           "Command", "SdramPins", "mode_register"]

BANK_BITS, ROW_BITS, COLUMN_BITS, WORD_BITS = 2, 13, 9, 16
SIZE = 1 << (BANK_BITS + ROW_BITS + COLUMN_BITS) << 1
"""Bytes."""
BEAT_WORDS = 8
"""Of a burst of the chip, which is a beat of AXI."""
ALL_BANKS = 1 << 10
"""A10, at PRECHARGE."""


class Command(IntEnum):
    """RAS#, CAS# and WE#, the first in bit 2."""

    LOAD_MODE = 0b000
    REFRESH = 0b001
    PRECHARGE = 0b010
    ACTIVATE = 0b011
    WRITE = 0b100
    READ = 0b101
    NOP = 0b111


COMMAND = data.StructLayout({"code": 3, "bank": BANK_BITS, "address": ROW_BITS})


def mode_register(cas: int) -> int:
    """Sequential bursts of eight words, of reads and of writes."""
    return cas << 4 | BEAT_WORDS.bit_length() - 1


class SdramPins(wiring.Signature):
    """Seen from the controller. All outputs come out of registers; `dq_i` goes into one."""

    def __init__(self) -> None:
        super().__init__({
            "cke": Out(1), "cs_n": Out(1, init=1), "ras_n": Out(1, init=1), "cas_n": Out(1, init=1),
            "we_n": Out(1, init=1),
            "ba": Out(BANK_BITS), "a": Out(ROW_BITS), "dqm": Out(WORD_BITS // 8, init=3),
            "dq_o": Out(WORD_BITS), "dq_oe": Out(1), "dq_i": In(WORD_BITS),
        })
