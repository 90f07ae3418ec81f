"""What a netlist takes of a device."""

from __future__ import annotations

import re
from collections import Counter

from hw.boards.device import Resources
from hw.synthesis.netlist import Bit, Cell, Netlist
from hw.synthesis.primitives import BRAM36, CARRY_LUTS, LUTRAM_LUTS, Kind, kind_of

__all__ = ["count_resources", "late_products"]


def count_resources(netlist: Netlist) -> Resources:
    """Count a netlist's sites."""
    types = Counter(cell.type for cell in netlist.cells)
    kinds: Counter[Kind] = Counter()
    for name, count in types.items():
        kinds[kind_of(name)] += count
    lutram = sum(luts * types[name] for name, luts in LUTRAM_LUTS.items())
    carry = sum(luts * types[name] for name, luts in CARRY_LUTS.items())
    bram36 = sum(size * types[name] for name, size in BRAM36.items())
    return Resources(lut=kinds[Kind.LUT] + carry + lutram, lutram=lutram, ff=kinds[Kind.REGISTER], dsp=kinds[Kind.DSP],
                     bram36=int(bram36) if bram36 == int(bram36) else bram36, uram=kinds[Kind.URAM])


def late_products(netlist: Netlist) -> list[str]:
    """Names of the DSPs whose product meets logic before a register: paths that begin with a whole multiplication.

    Levels start at zero behind a DSP, so they do not show these. A product is registered inside (MREG, PREG; an ECP5's
    pipeline or output registers) or by flip-flops or shift registers right behind it, which Vivado takes into the DSP;
    Yosys leaves them outside for UltraScale+ and ECP5.
    """
    read: set[int | None] = set()
    for cell in netlist.cells:
        for pin, bits in cell.inputs.items():
            if pin not in ("D", "DI") or not (kind_of(cell.type) is Kind.REGISTER or cell.type.startswith("SRL")):
                read.update(bits)
    for bits in netlist.outputs.values():
        read.update(bits)
    read.discard(None)
    return [netlist.names.get(next(bit for bit in _product(cell) if bit in read), cell.name)
            for cell in netlist.cells if kind_of(cell.type) is Kind.DSP
            and not _registered_inside(cell) and any(bit in read for bit in _product(cell))]


def _product(cell: Cell) -> list[Bit | None]:
    return [bit for pin, bits in cell.outputs.items() if re.fullmatch(r"P\d*", pin) for bit in bits]


def _registered_inside(cell: Cell) -> bool:
    if cell.type == "MULT18X18D":
        return any(cell.parameters.get(name, "NONE") != "NONE" for name in ("REG_PIPELINE_CLK", "REG_OUTPUT_CLK"))
    return any(int(cell.parameters.get(name, "1"), 2) for name in ("MREG", "PREG"))
