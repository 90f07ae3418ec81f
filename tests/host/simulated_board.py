"""A board for the real `pynq` package, with the emulator in place of the fabric.

It is a `pynq.Device` as PYNQ's own board classes are: it parses the overlay's hardware description with PYNQ's
parser, answers the register reads and writes of `pynq.MMIO` (the accelerator's and those of the clock generator,
which `pynq.Clocks` uses) and allocates `PynqBuffer`s. Its caches are not coherent: the processor and the fabric
have an array each, and only flushes and invalidations copy from one to the other.
"""

from __future__ import annotations

import numpy as np
import pynq
from pynqmetadata.frontends import Metadata
from pynqmetadata.views.runtime import RuntimeMetadataParser

from host.devices.emulator import EmulatorDevice
from models.machine.build import BuildParameters
from models.machine.registers import register

__all__ = ["BASE_ADDRESS", "SimulatedBoard", "hardware_description"]

BASE_ADDRESS = 0xA000_0000
CRL_APB = 0xFF5E_0000  # the clock generator of a Zynq UltraScale+
IOPLL_CTRL, PL0_REF_CTRL = 0x20, 0xC0
IOPLL = 90 << 8 | 1 << 16  # 33.333 MHz * 90 / 2 = 1500 MHz


def hardware_description(mhz: float, *, cell: str = "tritloom") -> str:
    """The parts of a .hwh file that PYNQ reads, of a Zynq UltraScale+ with one AXI-Lite cell."""
    divisor = round(1500 / mhz)
    clocks = {"PSU__FPGA_PL0_ENABLE": 1, "PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ": mhz,
              "PSU__CRL_APB__PL0_REF_CTRL__DIVISOR0": divisor, "PSU__CRL_APB__PL0_REF_CTRL__DIVISOR1": 1,
              "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL": "IOPLL"}
    for n in (1, 2, 3):
        clocks |= {f"PSU__FPGA_PL{n}_ENABLE": 0, f"PSU__CRL_APB__PL{n}_REF_CTRL__DIVISOR0": 15,
                   f"PSU__CRL_APB__PL{n}_REF_CTRL__DIVISOR1": 1, f"PSU__CRL_APB__PL{n}_REF_CTRL__SRCSEL": "IOPLL"}
    parameters = "".join(f'<PARAMETER NAME="{name}" VALUE="{value}"/>' for name, value in clocks.items())
    aximm = "xilinx.com:interface:aximm:1.0"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<EDKSYSTEM>
  <SYSTEMINFO NAME="tritloom_system"/><EXTERNALPORTS/><EXTERNALINTERFACES/>
  <MODULES>
    <MODULE FULLNAME="/ps" INSTANCE="ps" MODTYPE="zynq_ultra_ps_e" VLNV="xilinx.com:ip:zynq_ultra_ps_e:3.5">
      <PARAMETERS>{parameters}</PARAMETERS>
      <BUSINTERFACES><BUSINTERFACE NAME="M_AXI_HPM0_FPD" TYPE="MASTER" VLNV="{aximm}"/></BUSINTERFACES>
      <MEMORYMAP>
        <MEMRANGE ADDRESSBLOCK="reg0" BASEVALUE="{BASE_ADDRESS:#x}" HIGHVALUE="{BASE_ADDRESS + 0xFFF:#x}"
          INSTANCE="{cell}" MASTERBUSINTERFACE="M_AXI_HPM0_FPD" MEMTYPE="REGISTER" SLAVEBUSINTERFACE="s_axi"/>
      </MEMORYMAP>
    </MODULE>
    <MODULE FULLNAME="/{cell}" INSTANCE="{cell}" MODTYPE="tritloom_axi" VLNV="xilinx.com:module_ref:tritloom_axi:1.0">
      <BUSINTERFACES><BUSINTERFACE NAME="s_axi" TYPE="SLAVE" VLNV="{aximm}"/></BUSINTERFACES>
    </MODULE>
  </MODULES>
</EDKSYSTEM>
"""


class SimulatedBoard(pynq.Device):
    """One board with one build in its fabric. `synced` lists the ranges of all flushes and invalidations.

    The fabric's clock starts at 100 MHz, as boot firmware leaves it. `stuck_divisor`: the clock generator keeps
    1500 MHz over this, whatever is written to it.
    """

    def __init__(self, build: BuildParameters, build_word: int, *, stuck_divisor: int | None = None):
        super().__init__("simulated_board")
        self.name, self.arch = "simulated", "aarch64"
        self.capabilities = {"REGISTER_RW": True}
        self.fabric = EmulatorDevice(build)
        self.synced: list[tuple[str, int, int]] = []
        self.ranged_syncs = 0
        self.downloads: list[str] = []
        self.free_memory = 1 << 30
        self._build_word, self._stuck = build_word, stuck_divisor is not None
        self._clocks = {CRL_APB + IOPLL_CTRL: IOPLL,
                        CRL_APB + PL0_REF_CTRL: 1 << 24 | 1 << 16 | (stuck_divisor or 15) << 8}

    def get_bitfile_metadata(self, bitfile_name: str) -> RuntimeMetadataParser:
        return RuntimeMetadataParser(Metadata(input=bitfile_name.replace(".bit", ".hwh")))

    def download(self, bitstream: pynq.Bitstream, parser: RuntimeMetadataParser | None = None) -> None:
        self.downloads.append(bitstream.bitfile_name)
        self.post_download(bitstream, parser)

    def read_registers(self, address: int, length: int) -> bytes:
        if not BASE_ADDRESS <= address < BASE_ADDRESS + 0x1000:
            value = self._clocks.get(address, 0)
        elif address - BASE_ADDRESS == register("BUILD").offset:
            value = self._build_word
        else:
            value = self.fabric.read_register(address - BASE_ADDRESS)
        return int(value).to_bytes(length, "little")

    def write_registers(self, address: int, data: bytes) -> None:
        value = int.from_bytes(bytes(data), "little")
        if BASE_ADDRESS <= address < BASE_ADDRESS + 0x1000:
            self.fabric.write_register(address - BASE_ADDRESS, value)
        elif not self._stuck:
            self._clocks[address] = value

    def allocate(self, shape: tuple[int, ...], dtype: object, *, cacheable: int = 0) -> pynq.buffer.PynqBuffer:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if size > self.free_memory:
            raise RuntimeError("BO allocation failed: Cannot allocate memory")
        assert cacheable
        dram = self.fabric._memory(size)  # its owner sets BASE and LIMIT
        host = np.full(size, 0xA5, np.uint8)  # what another program left
        return pynq.buffer.PynqBuffer(shape, dtype, buffer=host, device=self, bo=BufferObject(self, host, dram.array),
                                      device_address=dram.address, coherent=False)

    def flush(self, bo: BufferObject, offset: int, pointer: int, size: int) -> None:
        bo.copy(True, size, offset)

    def invalidate(self, bo: BufferObject, offset: int, pointer: int, size: int) -> None:
        bo.copy(False, size, offset)


class BufferObject:
    """XRT's handle of a buffer, with the two views of it."""

    def __init__(self, board: SimulatedBoard, host: np.ndarray, dram: np.ndarray):
        self._board, self._host, self._dram = board, host, dram

    def copy(self, to_device: bool, size: int, offset: int) -> None:
        part = slice(offset, offset + size)
        if to_device:
            self._dram[part] = self._host[part]
        else:
            self._host[part] = self._dram[part]
        self._board.synced.append(("flush" if to_device else "invalidate", offset, size))

    def sync(self, direction: str, size: int, offset: int) -> None:
        """As `pyxrt.bo.sync`."""
        self._board.ranged_syncs += 1
        self.copy(direction == "to device", size, offset)
