"""The bits of a carry chain's cells, whatever the family calls their pins."""

from __future__ import annotations

from typing import NamedTuple

from hw.synthesis.netlist import Bit, Cell

__all__ = ["CarryBit", "carry_bits"]


class CarryBit(NamedTuple):
    """One bit: what its carry and its sum depend on beside the carry before it, its sum, and its carry to the outside;
    None where those are not used."""

    to_carry: list[Bit | None]
    to_sum: list[Bit | None]
    total: Bit | None
    carry: Bit | None


def carry_bits(cell: Cell) -> list[CarryBit]:
    """Of a CARRY4 or CARRY8, whose operands come through LUTs, or of a CCU2C, which is two LUTs itself."""
    if cell.type == "CCU2C":
        found = []
        for index, carry in ((0, None), (1, "COUT")):
            operands = [bit for pin in "ABCD" for bit in cell.inputs.get(f"{pin}{index}", ())]
            found.append(CarryBit(operands, operands, _output(cell, f"S{index}"), _output(cell, carry)))
        return found
    found = []
    for index, (select, value) in enumerate(zip(cell.inputs["S"], cell.inputs["DI"], strict=True)):
        middle = cell.inputs.get("CI_TOP", []) if index == 4 else []
        found.append(CarryBit([select, value, *middle], [select, *middle], _output(cell, "O", index),
                              _output(cell, "CO", index)))
    return found


def _output(cell: Cell, pin: str | None, index: int = 0) -> Bit | None:
    return cell.outputs[pin][index] if pin in cell.outputs else None
