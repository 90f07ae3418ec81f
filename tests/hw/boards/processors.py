"""The boards' processing systems as their block designs see them."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["PROCESSORS", "Processor"]


@dataclass(frozen=True)
class Processor:
    """From Xilinx' guides (PG201, PG082).

    interface_of: what each property enables; width_of: the property that holds an interface's width; clock: that of
    its frequency in MHz; on: properties that are 1; segments: of the DDR behind a data port, and what else lies there;
    outside: ports of the block design, and the pin each leads to. pll_mhz: of the clock's PLL, 0 where Vivado chooses.
    """

    pins: set[str]
    clock_pin: str
    interface_of: dict[str, str]
    width_of: dict[str, str]
    clock: str
    on: tuple[str, ...]
    data: str  # an interface's name, by the port's number
    segments: tuple[str, ...]
    others: tuple[str, ...] = ()
    outside: tuple[tuple[str, str], ...] = ()
    pll_mhz: int = 0


ZYNQ_ULTRASCALE = Processor(
    pins={"pl_clk0", "pl_resetn0", "pl_ps_irq0", "maxihpm0_fpd_aclk", *(f"saxihp{n}_fpd_aclk" for n in range(4))},
    clock_pin="pl_clk0",
    interface_of={"PSU__USE__M_AXI_GP0": "M_AXI_HPM0_FPD",
                  **{f"PSU__USE__S_AXI_GP{n + 2}": f"S_AXI_HP{n}_FPD" for n in range(4)}},
    width_of={"M_AXI_HPM0_FPD": "PSU__MAXIGP0__DATA_WIDTH",
              **{f"S_AXI_HP{n}_FPD": f"PSU__SAXIGP{n + 2}__DATA_WIDTH" for n in range(4)}},
    clock="PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ", pll_mhz=1500,
    on=("PSU__FPGA_PL0_ENABLE", "PSU__USE__IRQ0"),
    data="S_AXI_HP{n}_FPD",
    segments=tuple(f"SAXIGP{{group}}/HP{{n}}_{part}" for part in ("DDR_LOW", "DDR_HIGH")),
    others=tuple(f"SAXIGP{{group}}/HP{{n}}_{part}" for part in ("LPS_OCM", "QSPI")))

PROCESSORS = {
    "kv260": replace(
        ZYNQ_ULTRASCALE, pins=ZYNQ_ULTRASCALE.pins | {"emio_ttc0_wave_o"}, outside=(("fan_en_b", "A12"),),
        on=(*ZYNQ_ULTRASCALE.on, "PSU__TTC0__PERIPHERAL__ENABLE", "PSU__TTC0__WAVEOUT__ENABLE")),
    "rfsoc4x2": ZYNQ_ULTRASCALE,
    "arty_z7": Processor(
        pins={"FCLK_CLK0", "FCLK_RESET0_N", "IRQ_F2P", "M_AXI_GP0_ACLK", "S_AXI_HP0_ACLK"}, clock_pin="FCLK_CLK0",
        interface_of={"PCW_USE_M_AXI_GP0": "M_AXI_GP0", "PCW_USE_S_AXI_HP0": "S_AXI_HP0"},
        width_of={"S_AXI_HP0": "PCW_S_AXI_HP0_DATA_WIDTH"},
        clock="PCW_FPGA0_PERIPHERAL_FREQMHZ",
        on=("PCW_EN_CLK0_PORT", "PCW_EN_RST0_PORT", "PCW_USE_FABRIC_INTERRUPT", "PCW_IRQ_F2P_INTR"),
        data="S_AXI_HP{n}", segments=("S_AXI_HP{n}/HP{n}_DDR_LOWOCM",)),
}
