"""What a netlist takes of a device."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hw.synthesis.netlist import Netlist
from hw.synthesis.primitives import BRAM36, LUTRAM_LUTS, Kind, kind_of

__all__ = ["XCK26", "Device", "Resources", "count_resources", "unregistered_dsps"]


@dataclass(frozen=True)
class Resources:
    """Sites, in the vendor's own units.

    lut: logic LUTs (an inverter is one) and those of distributed RAM and shift registers, as Vivado's "CLB LUTs". What
    Yosys emits is counted one by one: two functions of five shared inputs that Vivado packs into one LUT6_2 are two
    here, so the figure is from above. lutram: those of distributed RAM and shift registers among them. bram36: RAMB18
    is half of one.
    """

    lut: int
    lutram: int
    ff: int
    dsp: int
    bram36: float
    uram: int


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


def unregistered_dsps(netlist: Netlist) -> int:
    """How many DSPs let some input reach P without a register: paths that levels of logic, ending at DSPs, miss."""
    return sum(kind_of(cell.type) is Kind.DSP and _passes(cell.inputs, cell.parameters) for cell in netlist.cells)


def _passes(inputs: dict[str, list[int | None]], parameters: dict[str, str]) -> bool:
    def registered(name: str) -> bool:
        return bool(int(parameters.get(name, "1"), 2))

    def passes(operand: str) -> bool:
        return not registered(f"{operand}REG") and any(bit is not None for bit in inputs.get(operand, ()))

    multiplied = not registered("MREG") and (passes("A") or passes("B"))
    return not registered("PREG") and (multiplied or passes("C"))
