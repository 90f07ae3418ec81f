"""A board for the real `pynq` package, 3.0.1 or 4.0, with the emulator in place of the fabric.

It is a `pynq.Device` as PYNQ's own board classes are: it parses the overlay's hardware description with PYNQ's
parser, answers the register reads and writes of `pynq.MMIO` (the accelerator's, those of the clock generator, which
`pynq.Clocks` uses, and those of the memory ports) and allocates `PynqBuffer`s. Its caches are not coherent: the
processor and the fabric have an array each, and only flushes and invalidations copy from one to the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pynq
from pynqmetadata.frontends import Metadata

try:
    from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser  # 3.0.1
except ImportError:
    from pynqmetadata.views.runtime import RuntimeMetadataParser  # 4.0

from models.machine.build import BuildParameters
from models.machine.registers import REGISTERS, register
from tests.host.board.hardware_description import BASE_ADDRESS, hardware_description
from tests.host.board.simulated_fabric import SimulatedFabric

__all__ = ["BASE_ADDRESS", "BufferObject", "SimulatedBoard", "hardware_description"]

CRL_APB = 0xFF5E_0000  # the clock generator of a Zynq UltraScale+
IOPLL_CTRL, PL0_REF_CTRL = 0x20, 0xC0
IOPLL = 90 << 8 | 1 << 16  # 33.333 MHz * 90 / 2 = 1500 MHz
_NAMES = {r.offset: r.name for r in REGISTERS}


class SimulatedBoard(pynq.Device):
    """One board with one build in its fabric. `synced` lists the ranges of all flushes and invalidations, `accesses`
    the accelerator's registers as they are read and written, `written` what is written to them.

    The fabric's clock starts at 100 MHz, as boot firmware leaves it. `stuck_divisor`: the clock generator keeps
    1500 MHz over this, whatever is written to it. `system`: registers of the processing system by address. fabric: of
    the fabric, `SimulatedFabric`'s.
    """

    def __init__(self, build: BuildParameters, build_word: int, *, stuck_divisor: int | None = None, **fabric: Any):
        super().__init__("simulated_board")
        self.name, self.arch = "simulated", "aarch64"
        self.capabilities = {"REGISTER_RW": True}
        self.fabric = SimulatedFabric(build, **fabric)
        self.synced: list[tuple[str, int, int]] = []
        self.accesses: list[tuple[str, str]] = []
        self.written: list[tuple[str, int]] = []
        self.ranged_syncs = 0
        self.downloads: list[str] = []
        self.free_memory = 1 << 30
        self._build_word, self._stuck = build_word, stuck_divisor is not None
        self.system = {CRL_APB + IOPLL_CTRL: IOPLL,
                       CRL_APB + PL0_REF_CTRL: 1 << 24 | 1 << 16 | (stuck_divisor or 15) << 8}

    def get_bitfile_metadata(self, bitfile_name: str) -> RuntimeMetadataParser:
        return RuntimeMetadataParser(Metadata(input=bitfile_name.replace(".bit", ".hwh")))

    def download(self, bitstream: pynq.Bitstream, parser: RuntimeMetadataParser | None = None) -> None:
        self.downloads.append(bitstream.bitfile_name)
        self.post_download(bitstream, parser)

    def read_registers(self, address: int, length: int) -> bytes:
        offset = address - BASE_ADDRESS
        if not 0 <= offset < 0x1000:
            value = self.system.get(address, 0)
        else:
            self.accesses.append(("read", _NAMES[offset]))
            value = self._build_word if offset == register("BUILD").offset else self.fabric.read_register(offset)
        return int(value).to_bytes(length, "little")

    def write_registers(self, address: int, data: bytes) -> None:
        value, offset = int.from_bytes(bytes(data), "little"), address - BASE_ADDRESS
        if 0 <= offset < 0x1000:
            self.accesses.append(("write", _NAMES[offset]))
            self.written.append((_NAMES[offset], value))
            self.fabric.write_register(offset, value)
        elif not self._stuck:
            self.system[address] = value

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
