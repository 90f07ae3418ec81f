"""The widths of the processor's memory ports, read from its registers.

Boot firmware sets them, PYNQ sets them anew from the hardware description; a port of another width than the fabric's
gives it half of each beat. UG1085, AFIFM; UG1087, AFIFM_RDCTRL and AFIFM_WRCTRL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

__all__ = ["WIDTH_REGISTERS", "WIDTHS", "wrong_widths"]

_FIRST = 0xFD36_0000
_APART = 0x1_0000
_CONTROLS = {"read": 0x0, "write": 0x14}
_FABRIC_WIDTH = 0b11
WIDTHS = {0: 128, 1: 64, 2: 32}
"""Of the field FABRIC_WIDTH."""

WIDTH_REGISTERS = {(f"HP{port}", way): _FIRST + (port + 2) * _APART + offset
                   for port in range(4) for way, offset in _CONTROLS.items()}
"""Addresses of a Zynq UltraScale+'s registers, by port and way: S_AXI_HPn_FPD is the AFIFM n + 2."""


def wrong_widths(read: Callable[[int], int], ports: int, parameters: Mapping[str, str]) -> list[str]:
    """What is wrong with the first `ports` of HP0 .. HP3, a line for each register; empty where nothing is.

    read: a register by address. parameters: of the processor's cell, which say what widths the design has; 128 bits
    where they say nothing.
    """
    lines = []
    for (port, way), address in WIDTH_REGISTERS.items():
        number = int(port[-1])
        if number < ports:
            expected = int(parameters.get(f"C_SAXIGP{number + 2}_DATA_WIDTH", 128))
            found = WIDTHS.get(read(address) & _FABRIC_WIDTH, 0)
            if found != expected:
                lines.append(f"port {port} has {found} bits to {way}, and the design {expected}")
    return lines
