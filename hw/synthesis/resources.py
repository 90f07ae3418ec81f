"""What a netlist takes of a device."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hw.synthesis.netlist import Netlist
from hw.synthesis.primitives import BRAM36, LUTRAM_LUTS, Kind, kind_of

__all__ = ["NONE", "XC7Z020", "XCK26", "XCZU48DR", "Device", "Resources", "count_resources", "late_products"]


@dataclass(frozen=True)
class Resources:
    """Sites, in the vendor's own units.

    lut: logic LUTs (an inverter is one) and those of distributed RAM and shift registers, as Vivado's "CLB LUTs". What
    Yosys emits is counted one by one: two functions of five shared inputs that Vivado packs into one LUT6_2 are two
    here, so the figure is from above. lutram: those of distributed RAM and shift registers among them. ff: also
    those that Vivado would take into DSPs and memories; Yosys does not for UltraScale+. bram36: RAMB18 is half of one.
    """

    lut: int
    lutram: int
    ff: int
    dsp: int
    bram36: float
    uram: int

    def __add__(self, other: Resources) -> Resources:
        return Resources(**{name: value + getattr(other, name) for name, value in vars(self).items()})


NONE = Resources(lut=0, lutram=0, ff=0, dsp=0, bram36=0, uram=0)


@dataclass(frozen=True)
class Device:
    """A part and its sites; `lutram`: LUTs that can be memory."""

    name: str
    sites: Resources

    def fits(self, used: Resources) -> bool:
        """Whether no site is taken twice. Says nothing about routing."""
        return all(value <= getattr(self.sites, name) for name, value in vars(used).items())


XCK26 = Device("XCK26", Resources(lut=117_120, lutram=57_600, ff=234_240, dsp=1_248, bram36=144, uram=64))
"""The KV260's Zynq UltraScale+ (DS987)."""

XCZU48DR = Device("XCZU48DR", Resources(lut=425_280, lutram=213_600, ff=850_560, dsp=4_272, bram36=1_080, uram=80))
"""The RFSoC 4x2's Zynq UltraScale+ RFSoC (DS889)."""

XC7Z020 = Device("XC7Z020", Resources(lut=53_200, lutram=17_400, ff=106_400, dsp=220, bram36=140, uram=0))
"""The Arty Z7-20's Zynq-7000 (DS190): no UltraRAM, DSP48E1."""


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
