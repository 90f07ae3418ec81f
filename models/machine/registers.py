"""The AXI-Lite register map: one table for the RTL, `accel.json`, the documentation and the runtime."""

from __future__ import annotations

from dataclasses import dataclass

from models.markdown import markdown_table

__all__ = ["IDENTITY", "REGISTERS", "SEQUENCES", "VERSION", "Register", "Status", "position_register", "register",
           "register_table"]

IDENTITY = 0x54524954  # "TRIT"
VERSION = 5
SEQUENCES = 16  # sequences whose rows one pass may hold, each with a position of its own


@dataclass(frozen=True)
class Register:
    """One 32-bit register. access: "ro" (read only), "rw", or "wp" (write: a pulse, reads 0)."""

    name: str
    offset: int
    access: str
    description: str


class Status:
    """Bits of STATUS and the error codes in its bits 8..15."""

    BUSY = 1 << 0
    DONE = 1 << 1
    ERROR = 1 << 2
    ERROR_NONE, ERROR_AXI, ERROR_DESCRIPTOR, ERROR_WATCHDOG = range(4)


REGISTERS: tuple[Register, ...] = (
    Register("ID", 0x00, "ro", "0x54524954, \"TRIT\""),
    Register("VERSION", 0x04, "ro", "version of this map and of the descriptors"),
    Register("BUILD", 0x08, "ro", "first 32 bits of the build's hash, as in accel.json"),
    Register("CONTROL", 0x0C, "wp", "bit 0 start, bit 1 acknowledge (clears DONE, ERROR and the interrupt)"),
    Register("STATUS", 0x10, "ro", "bit 0 busy, 1 done, 2 error; bits 8..15 error code "
             "(1 AXI response, 2 bad descriptor, 3 watchdog)"),
    Register("PROGRAM_LOW", 0x14, "rw", "address of the first descriptor, bits 0..31; a multiple of 64"),
    Register("PROGRAM_HIGH", 0x18, "rw", "bits 32..39"),
    Register("DESCRIPTORS", 0x1C, "rw", "number of descriptors"),
    Register("POSITION", 0x20, "rw", "position of sequence 0: tokens already in its cache"),
    Register("WATCHDOG", 0x24, "rw", "cycles without a retired descriptor before the run is stopped; 0: off"),
    Register("CYCLES_LOW", 0x28, "ro", "cycles of the last run, bits 0..31"),
    Register("CYCLES_HIGH", 0x2C, "ro", "bits 32..63"),
    Register("SATURATIONS", 0x30, "ro", "residual channels that saturated, since reset"),
    Register("INVALID_TRITS", 0x34, "ro", "weight bytes above 242, decoded as zeros, since reset"),
    Register("AXI_ERRORS", 0x38, "ro", "error responses on any port, since reset"),
    Register("ZEROS", 0x3C, "ro", "int8 activations of linear inputs that were zero in the last run"),
    Register("ACTIVATIONS", 0x40, "ro", "int8 activations of linear inputs in the last run"),
    Register("BUSY_FETCH", 0x44, "ro", "cycles in which the engine worked on a descriptor in the last run"),
    Register("BUSY_LOAD", 0x48, "ro", "likewise"),
    Register("BUSY_LINEAR", 0x4C, "ro", "likewise"),
    Register("BUSY_VECTOR", 0x50, "ro", "likewise"),
    Register("BUSY_ATTEND", 0x54, "ro", "likewise"),
    Register("BUSY_HEAD", 0x58, "ro", "likewise"),
    *(Register(f"POSITION_{s}", 0x80 + 4 * s, "rw", f"position of sequence {s}") for s in range(1, SEQUENCES)),
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
