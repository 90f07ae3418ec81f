"""The serial link between a host and a board: what both ends share. docs/link.md says what it means."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

__all__ = ["ANSWERED", "BAUD", "BEAT", "BUS_MILLISECONDS", "ESCAPE", "ESCAPED", "FLAG", "FCS_BYTES", "GREETING",
           "LINK_VERSION", "MOST_DATA", "MOST_FRAME", "OPERATIONS", "REGISTER_SPACE", "REPEATS", "REPLY", "REQUEST",
           "REQUEST_BUFFERS", "RESULT", "WORD", "Greeting", "LinkStatus", "Operation", "OperationRules"]

LINK_VERSION = 1
BAUD = 3_000_000
FLAG, ESCAPE, ESCAPED = 0x7E, 0x7D, 0x20  # ends a frame; goes before a byte that is XORed with ESCAPED
FCS_BYTES = 4  # CRC-32 as `zlib.crc32`, least significant byte first
MOST_DATA = 1024  # bytes of data in a frame
BEAT, WORD = 16, 4  # bytes that accesses of memory and of registers are multiples of
REGISTER_SPACE = 4096  # bytes
REPEATS = 64  # requests before the expected one that are known as executed
REQUEST_BUFFERS = 2  # the one under way included
BUS_MILLISECONDS = 16  # an access of registers or memory that takes longer is given up
ANSWERED = 0x80  # set in the operation of an answer

REQUEST = Struct("<BBHII")
"""Head of a request: sequence, operation, session, address, size. Its data follow."""
REPLY = Struct("<BBH")
"""Head of an answer: sequence, operation | ANSWERED, session. Its data follow, then `RESULT`."""
RESULT = Struct("<BB")
"""End of an answer: the sequence expected next, status."""
GREETING = Struct("<HHIIHH")
"""Data of the answer to HELLO: `Greeting`."""
MOST_FRAME = REQUEST.size + MOST_DATA  # bytes of a request without its FCS; no answer is longer


class Greeting(NamedTuple):
    """What HELLO tells. damaged, dropped: frames since reset, modulo 65536: bad ones, and those without a buffer."""

    version: int
    most_data: int
    memory_bytes: int
    clock_khz: int
    damaged: int
    dropped: int


class Operation(IntEnum):
    """What a request asks for."""

    HELLO = 0
    READ_REGISTERS = 1
    WRITE_REGISTERS = 2
    READ_MEMORY = 3
    WRITE_MEMORY = 4
    CHECK_MEMORY = 5
    RESET = 6
    WAIT = 7
    FILL_MEMORY = 8


class LinkStatus(IntEnum):
    """What came of a request. Where several apply: the first of BAD_OPERATION, BAD_LENGTH, BAD_ADDRESS, NOT_GREETED,
    OUT_OF_ORDER, TOO_LATE, BUS_ERROR."""

    OK = 0
    OUT_OF_ORDER = 1  # neither the expected one nor one that was executed lately
    NOT_GREETED = 2  # of no session, or not the board's
    BAD_OPERATION = 3
    BAD_ADDRESS = 4
    BAD_LENGTH = 5
    BUS_ERROR = 6  # an error response, or none in BUS_MILLISECONDS
    TOO_LATE = 7  # a read, executed before, and something was changed since


class OperationRules(NamedTuple):
    """What a request must look like.

    reads: changes nothing, so that it may be executed again.
    unit: what address and size are multiples of; 0: they may be anything.
    most: the largest size; 0: as far as the space goes.
    space: "registers", "memory" or "".
    data: bytes behind the head; None: as many as size says.
    """

    reads: bool
    unit: int
    most: int
    space: str
    data: int | None


OPERATIONS: dict[Operation, OperationRules] = {
    Operation.HELLO: OperationRules(False, 0, 0, "", 0),
    Operation.READ_REGISTERS: OperationRules(True, WORD, MOST_DATA, "registers", 0),
    Operation.WRITE_REGISTERS: OperationRules(False, WORD, MOST_DATA, "registers", None),
    Operation.READ_MEMORY: OperationRules(True, BEAT, MOST_DATA, "memory", 0),
    Operation.WRITE_MEMORY: OperationRules(False, BEAT, MOST_DATA, "memory", None),
    Operation.CHECK_MEMORY: OperationRules(True, BEAT, 0, "memory", 0),
    Operation.RESET: OperationRules(False, 0, 0, "", 0),
    Operation.WAIT: OperationRules(True, 0, 0, "", 0),
    Operation.FILL_MEMORY: OperationRules(False, BEAT, 0, "memory", BEAT),
}
