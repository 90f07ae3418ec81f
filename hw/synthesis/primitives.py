"""The cells of a mapped netlist: which resource each one is, and what passes through it unclocked.

Cells of all families stand in one table: no two call different things by one name.
"""

from __future__ import annotations

import enum
import re

from models.errors import BuildError

__all__ = ["BRAM36", "CARRY_LUTS", "LUTRAM_LUTS", "Kind", "kind_of", "read_address_pins", "reads_only"]


class Kind(enum.Enum):
    """What a cell is to counts and levels."""

    LUT = enum.auto()
    MUX = enum.auto()  # MUXF7, F8, F9, PFUMX, L6MUX21: joins LUTs of one CLB or tile
    CARRY = enum.auto()
    LUTRAM = enum.auto()  # shift registers of LUTs are among them
    REGISTER = enum.auto()
    DSP = enum.auto()
    BRAM = enum.auto()
    URAM = enum.auto()
    BUFFER = enum.auto()  # of pads and clocks
    EDGE = enum.auto()  # of the chip: pads of both directions or with a register, PLLs
    NOTE = enum.auto()  # no hardware


LUTRAM_LUTS = {
    "RAM32X1S": 1, "RAM32X1D": 2, "RAM64X1S": 1, "RAM64X1D": 2, "RAM128X1S": 2, "RAM128X1D": 4, "RAM256X1S": 4,
    "RAM256X1D": 8, "RAM512X1S": 8, "RAM32M": 4, "RAM32M16": 8, "RAM64M": 4, "RAM64M8": 8, "RAM64X8SW": 8,
    "RAM32X16DR8": 8, "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1, "TRELLIS_DPR16X4": 6,
}
"""LUTs that a distributed RAM or shift register takes, as Vivado counts them; on an ECP5 with those whose inputs its
write port needs."""

CARRY_LUTS = {"CCU2C": 2}
"""LUTs that a carry chain's cell is made of, where it is no block of its own beside them."""

BRAM36 = {"RAMB36E2": 1.0, "RAMB18E2": 0.5, "RAMB36E1": 1.0, "RAMB18E1": 0.5, "DP16KD": 0.5, "PDPW16KD": 0.5}
"""Block RAMs in units of 36 kbit."""

_KINDS = {
    **{f"LUT{inputs}": Kind.LUT for inputs in range(1, 7)}, "INV": Kind.LUT,
    **dict.fromkeys(("MUXF7", "MUXF8", "MUXF9", "PFUMX", "L6MUX21"), Kind.MUX),
    **dict.fromkeys(("CARRY4", "CARRY8", "CCU2C"), Kind.CARRY),
    **dict.fromkeys(LUTRAM_LUTS, Kind.LUTRAM),
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE", "LDCE", "LDPE", "TRELLIS_FF"), Kind.REGISTER),
    **dict.fromkeys(("DSP48E1", "DSP48E2", "MULT18X18D"), Kind.DSP),
    **dict.fromkeys(BRAM36, Kind.BRAM), "URAM288": Kind.URAM,
    **dict.fromkeys(("BUFG", "IBUF", "OBUF"), Kind.BUFFER),
    **dict.fromkeys(("TRELLIS_IO", "ODDRX1F", "EHXPLLL"), Kind.EDGE),
    "$scopeinfo": Kind.NOTE,
}


def kind_of(cell_type: str) -> Kind:
    """The kind of a cell; `BuildError` for one that is not known here, so that nothing goes uncounted."""
    try:
        return _KINDS[cell_type]
    except KeyError:
        raise BuildError(f"the netlist has a cell of unknown type {cell_type}") from None


def read_address_pins(pins: tuple[str, ...], output: str) -> tuple[str, ...]:
    """The input pins of a LUTRAM or shift register from which data pass to pin `output` without a clock edge.

    `pins` are all of the cell's. The carry-outs of a shift register (Q15, Q31) have none: they are registers.
    """
    if "RAD" in pins:  # TRELLIS_DPR16X4
        wanted = "RAD"
    elif output.startswith("DO"):  # RAM32M16 and its like: DOA is read at ADDRA
        wanted = f"ADDR{output[2:]}"
    elif output == "DPO":
        wanted = r"DPRA\d*"
    elif output in ("O", "SPO", "Q"):
        wanted = r"A\d*"
    else:
        return ()
    return tuple(pin for pin in pins if re.fullmatch(wanted, pin))


def reads_only(cell_type: str, pin: str) -> bool:
    """Whether an input pin of a LUTRAM is a read address and nothing else; all others meet the clock."""
    if pin == "RAD" or pin.startswith("DPRA"):
        return True
    write_port = "D" if cell_type in ("RAM32M", "RAM64M") else "H"
    return pin.startswith("ADDR") and pin != f"ADDR{write_port}" or pin.startswith("A") and cell_type.startswith("SRL")
