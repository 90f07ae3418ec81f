"""The AXI-Lite register map: one table for the RTL, `accel.json`, the documentation and the runtime."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from models.markdown import markdown_table

__all__ = ["IDENTITY", "LIMIT_BYTES", "PORTS", "REGISTERS", "SEQUENCES", "VERSION", "WATCHDOG_CYCLES", "Client",
           "Control", "Fault", "Register", "Status", "position_register", "register", "register_table"]

IDENTITY = 0x54524954  # "TRIT"
VERSION = 6
SEQUENCES = 16  # sequences whose rows one pass may hold, each with a position of its own
PORTS = 4  # of the builds with the most
LIMIT_BYTES = 256
"""What BASE and LIMIT count in: a block, which no burst leaves."""
WATCHDOG_CYCLES = 1 << 28
"""WATCHDOG after reset: about a second."""


@dataclass(frozen=True)
class Register:
    """One 32-bit register. access: "ro" (read only), "rw", or "wp" (write: a pulse, reads 0). reset: value of an "rw"
    after one."""

    name: str
    offset: int
    access: str
    description: str
    reset: int = 0


class Control:
    """Bits of CONTROL."""

    START = 1 << 0
    ACKNOWLEDGE = 1 << 1
    ABORT = 1 << 2
    CLEAR = 1 << 3


class Status:
    """Bits of STATUS and the error codes in its bits 8..15."""

    BUSY = 1 << 0
    DONE = 1 << 1
    ERROR = 1 << 2
    QUIET = 1 << 3
    (ERROR_NONE, ERROR_AXI, ERROR_DESCRIPTOR, ERROR_WATCHDOG, ERROR_OUTSIDE, ERROR_ABORTED,
     ERROR_BUSY) = range(7)


class Client(IntEnum):
    """Who reads and writes memory, as FAULT names them. The first four only read, the last two only write."""

    NONE = 0  # no access: another error
    STREAM = 1  # FETCH: weights and head
    CACHE = 2  # ATTEND
    LOAD = 3
    PROGRAM = 4  # the sequencer
    VECTOR = 5  # KEY, VALUE and STORE
    HEAD = 6  # LOGITS


class Fault(NamedTuple):
    """What FAULT says of an access that failed. response: 2 SLVERR, 3 DECERR; 0 where the burst never left."""

    client: int
    port: int
    write: int
    response: int

    @classmethod
    def of(cls, word: int) -> Fault:
        """From the register."""
        return cls(word & 255, word >> 8 & 15, word >> 12 & 1, word >> 13 & 3)

    @property
    def word(self) -> int:
        """As the register has it."""
        return self.client | self.port << 8 | self.write << 12 | self.response << 13


REGISTERS: tuple[Register, ...] = (
    Register("ID", 0x00, "ro", "0x54524954, \"TRIT\""),
    Register("VERSION", 0x04, "ro", "version of this map and of the descriptors"),
    Register("BUILD", 0x08, "ro", "first 32 bits of the build's hash, as in accel.json"),
    Register("CONTROL", 0x0C, "wp", "bit 0 start; 1 acknowledge (clears DONE, ERROR and the interrupt); "
             "2 abort (ends a run with error 5, nothing else where there is none); "
             "3 clear (zeroes SATURATIONS, INVALID_TRITS and AXI_ERRORS)"),
    Register("STATUS", 0x10, "ro", "bit 0 busy, 1 done, 2 error, 3 quiet (no access of memory is under way); "
             "bits 8..15 error code (1 AXI response, 2 bad descriptor, 3 watchdog, 4 outside BASE to LIMIT, 5 aborted, "
             "6 started while busy)"),
    Register("PROGRAM_LOW", 0x14, "rw", "address of the first descriptor, bits 0..31; a multiple of 64"),
    Register("PROGRAM_HIGH", 0x18, "rw", "bits 32..39"),
    Register("DESCRIPTORS", 0x1C, "rw", "number of descriptors"),
    Register("POSITION", 0x20, "rw", "position of sequence 0: tokens already in its cache"),
    Register("WATCHDOG", 0x24, "rw", "cycles without a retired descriptor before the run is stopped; 0: off; "
             f"{WATCHDOG_CYCLES:#x} after reset", WATCHDOG_CYCLES),
    Register("CYCLES_LOW", 0x28, "ro", "cycles of the last run, bits 0..31"),
    Register("CYCLES_HIGH", 0x2C, "ro", "bits 32..63"),
    Register("SATURATIONS", 0x30, "ro", "residual channels that saturated, since reset or clear"),
    Register("INVALID_TRITS", 0x34, "ro", "weight bytes above 242, decoded as zeros, since reset or clear"),
    Register("AXI_ERRORS", 0x38, "ro", "error responses on any port, since reset or clear"),
    Register("ZEROS", 0x3C, "ro", "int8 activations of linear inputs that were zero in the last run"),
    Register("ACTIVATIONS", 0x40, "ro", "int8 activations of linear inputs in the last run"),
    Register("BUSY_FETCH", 0x44, "ro", "cycles in which the engine worked on a descriptor in the last run"),
    Register("BUSY_LOAD", 0x48, "ro", "likewise"),
    Register("BUSY_LINEAR", 0x4C, "ro", "likewise"),
    Register("BUSY_VECTOR", 0x50, "ro", "likewise"),
    Register("BUSY_ATTEND", 0x54, "ro", "likewise"),
    Register("BUSY_HEAD", 0x58, "ro", "likewise"),
    Register("BASE", 0x5C, "rw", "first block of 256 bytes that may be accessed"),
    Register("LIMIT", 0x60, "rw", "first block behind them; not above BASE, as after reset: all is refused"),
    Register("FAULT", 0x64, "ro", "of error 1 or 4: bits 0..7 who asked (1 STREAM, 2 the cache's reader, 3 LOAD, "
             "4 the sequencer, 5 the vector engine, 6 LOGITS), 8..11 port, 12 write, 13..14 response (2 SLVERR, "
             "3 DECERR)"),
    Register("FAULT_ADDRESS_LOW", 0x68, "ro", "of error 4: the burst's address, bits 0..31"),
    Register("FAULT_ADDRESS_HIGH", 0x6C, "ro", "bits 32..39"),
    Register("FAULT_DESCRIPTOR", 0x70, "ro", "index of the descriptor that the sequencer fetched last: of error 2, the "
             "bad one"),
    *(Register(f"POSITION_{s}", 0x80 + 4 * s, "rw", f"position of sequence {s}") for s in range(1, SEQUENCES)),
    *(register for p in range(PORTS) for register in (
        Register(f"PORT_BEATS_{p}", 0xC0 + 8 * p, "ro", f"beats of 16 bytes read on port {p} in the last run"),
        Register(f"PORT_CYCLES_{p}", 0xC4 + 8 * p, "ro", f"cycles with reads under way on port {p} in the last run"))),
)


def register(name: str) -> Register:
    """A register by name."""
    return next(r for r in REGISTERS if r.name == name)


def position_register(sequence: int) -> str:
    """Name of the register that holds a sequence's position."""
    return f"POSITION_{sequence}" if sequence else "POSITION"


def register_table() -> str:
    """The map as a Markdown page, docs/registers.md."""
    access = {"ro": "read", "rw": "read, write", "wp": "write"}
    head = "# Registers\n\nAXI4-Lite, 32 bits each. Generated from `models/machine/registers.py` by `hw.build`.\n\n"
    return head + markdown_table(["offset", "name", "access", "description"], (
        [f"`{r.offset:#04x}`", r.name, access[r.access], r.description] for r in REGISTERS)) + "\n"
