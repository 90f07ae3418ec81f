"""A chip: its sites, and what of them a design takes."""

from __future__ import annotations

from dataclasses import dataclass

from hw.boards.technology import Technology

__all__ = ["NONE", "Device", "Resources"]


@dataclass(frozen=True)
class Resources:
    """Sites, in the vendor's own units.

    lut: logic LUTs (an inverter is one) and those of distributed RAM and shift registers, as Vivado's "CLB LUTs". What
    Yosys emits is counted one by one: two functions of five shared inputs that Vivado packs into one LUT6_2 are two
    here, so the figure is from above. lutram: those of distributed RAM and shift registers among them. ff: also
    those that Vivado would take into DSPs and memories; Yosys does not for UltraScale+. bram36: RAMB18 is half of one.

    On an ECP5, lut: LUT4s; a CCU2C of a carry chain takes two, a TRELLIS_DPR16X4 six, of which two lie idle beside its
    write port. lutram: those six. dsp: MULT18X18D. bram36: pairs of DP16KD, which have 18 kbit each.
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
    """A chip by its short name and the vendor's full one. sites: all it has; `lutram`: LUTs that can be memory."""

    name: str
    part: str
    technology: Technology
    sites: Resources

    def fits(self, used: Resources) -> bool:
        """Whether no site is taken twice. Says nothing about routing."""
        return all(value <= getattr(self.sites, name) for name, value in vars(used).items())
