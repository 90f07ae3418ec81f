"""The parts of a .hwh file that PYNQ reads, of a Zynq UltraScale+ with one AXI-Lite cell."""

from __future__ import annotations

__all__ = ["BASE_ADDRESS", "hardware_description"]

BASE_ADDRESS = 0xA000_0000
_AXIMM = "xilinx.com:interface:aximm:1.0"


def hardware_description(mhz: float, *, cell: str = "tritloom", vlnv: str = "xilinx.com:module_ref:tritloom_axi:1.0",
                         widths: bool = True) -> str:
    """widths: whether it says how wide the slave ports of the processor are."""
    settings: dict[str, object] = {
        "PSU__FPGA_PL0_ENABLE": 1, "PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ": mhz,
        "PSU__CRL_APB__PL0_REF_CTRL__DIVISOR0": round(1500 / mhz), "PSU__CRL_APB__PL0_REF_CTRL__DIVISOR1": 1,
        "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL": "IOPLL"}
    for n in (1, 2, 3):
        settings |= {f"PSU__FPGA_PL{n}_ENABLE": 0, f"PSU__CRL_APB__PL{n}_REF_CTRL__DIVISOR0": 15,
                     f"PSU__CRL_APB__PL{n}_REF_CTRL__DIVISOR1": 1, f"PSU__CRL_APB__PL{n}_REF_CTRL__SRCSEL": "IOPLL"}
    if widths:
        settings |= {f"C_SAXIGP{n}_DATA_WIDTH": 128 for n in range(2, 6)}
    parameters = "".join(f'<PARAMETER NAME="{name}" VALUE="{value}"/>' for name, value in settings.items())
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<EDKSYSTEM>
  <SYSTEMINFO NAME="tritloom_system"/><EXTERNALPORTS/><EXTERNALINTERFACES/>
  <MODULES>
    <MODULE FULLNAME="/ps" INSTANCE="ps" IS_PL="FALSE" MODTYPE="zynq_ultra_ps_e"
      VLNV="xilinx.com:ip:zynq_ultra_ps_e:3.5">
      <PARAMETERS>{parameters}</PARAMETERS>
      <BUSINTERFACES><BUSINTERFACE NAME="M_AXI_HPM0_FPD" TYPE="MASTER" VLNV="{_AXIMM}"/></BUSINTERFACES>
      <MEMORYMAP>
        <MEMRANGE ADDRESSBLOCK="reg0" BASEVALUE="{BASE_ADDRESS:#x}" HIGHVALUE="{BASE_ADDRESS + 0xFFF:#x}"
          INSTANCE="{cell}" MASTERBUSINTERFACE="M_AXI_HPM0_FPD" MEMTYPE="REGISTER" SLAVEBUSINTERFACE="s_axi"/>
      </MEMORYMAP>
    </MODULE>
    <MODULE FULLNAME="/{cell}" INSTANCE="{cell}" MODTYPE="tritloom_axi" VLNV="{vlnv}">
      <BUSINTERFACES><BUSINTERFACE NAME="s_axi" TYPE="SLAVE" VLNV="{_AXIMM}"/></BUSINTERFACES>
    </MODULE>
  </MODULES>
</EDKSYSTEM>
"""
