"""What a netlist takes of a device."""

from __future__ import annotations

from collections import Counter

from hw.boards.device import Resources
from hw.synthesis.netlist import Netlist
from hw.synthesis.primitives import BRAM36, LUTRAM_LUTS, Kind, kind_of

__all__ = ["count_resources", "late_products"]


def count_resources(netlist: Netlist) -> Resources:
    """Count a netlist's sites."""
    types = Counter(cell.type for cell in netlist.cells)
    kinds: Counter[Kind] = Counter()
    for name, count in types.items():
        kinds[kind_of(name)] += count
    lutram = sum(luts * types[name] for name, luts in LUTRAM_LUTS.items())
    bram36 = sum(size * types[name] for name, size in BRAM36.items())
    return Resources(lut=kinds[Kind.LUT] + lutram, lutram=lutram, ff=kinds[Kind.REGISTER], dsp=kinds[Kind.DSP],
                     bram36=int(bram36) if bram36 == int(bram36) else bram36, uram=kinds[Kind.URAM])


def late_products(netlist: Netlist) -> list[str]:
    """Names of the DSPs whose product meets logic before a register: paths that begin with a whole multiplication.

    Levels start at zero behind a DSP, so they do not show these. A product is registered inside (MREG, PREG) or by
    flip-flops or shift registers right behind it, which Vivado takes into the DSP; Yosys leaves them outside for
    UltraScale+.
    """
    read: set[int | None] = set()
    for cell in netlist.cells:
        for pin, bits in cell.inputs.items():
            if pin != "D" or not (kind_of(cell.type) is Kind.REGISTER or cell.type.startswith("SRL")):
                read.update(bits)
    for bits in netlist.outputs.values():
        read.update(bits)
    read.discard(None)
    return [netlist.names.get(next(bit for bit in cell.outputs["P"] if bit in read), cell.name)
            for cell in netlist.cells if kind_of(cell.type) is Kind.DSP
            and not any(int(cell.parameters.get(name, "1"), 2) for name in ("MREG", "PREG"))
            and any(bit in read for bit in cell.outputs.get("P", ()))]
