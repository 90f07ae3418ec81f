"""The one file that imports `pynq`: overlay, driver, memory and clocks, the same for PYNQ 3.0.1 and 4.0.

What differs between the two is met here and nowhere else:

- `Overlay.free` of 3.0.1 closes the device under buffers that are still in use, that of 4.0 removes the device tree
  overlay alone. Neither is called: `release` removes the device tree overlay.
- A slice of a buffer syncs its own range in 3.0.1 (a handle and XRT's call with a range) and the whole buffer in 4.0,
  whose class drops the range. Where `pyxrt` is there, XRT's own call takes the range.
- `pynq.Interrupt` hangs on the event loop of the thread that made it, and neither version knows a line that reaches
  the processor without an interrupt controller. It isn't made: `host.board.interrupt` waits on the UIO device.

PYNQ finds this file by the entry point `pynq.lib`, so any `pynq.Overlay` with the accelerator in it has `TritloomIP`
as the cell's driver.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pynq
from pynq.interrupt import get_uio_irq

from models.errors import DeviceError
from models.machine.registers import register

try:
    import pyxrt  # part of XRT on a board's system, not on PyPI
except ImportError:
    pyxrt = None

__all__ = ["INTERRUPTS", "PYNQ_VERSION", "VLNV", "TritloomIP", "TritloomOverlay", "active_board",
           "allocate_contiguous", "fabric_mhz", "open_overlay", "read_word", "sync", "write_word"]

PYNQ_VERSION = pynq.__version__
VLNV = ("xilinx.com:module_ref:tritloom_axi:1.0", "tritloom:tritloom:tritloom_axi:1.0")
"""What the accelerator is called in a hardware description: as a module reference, and as a packaged IP."""
INTERRUPTS = {"xilinx.com:ip:zynq_ultra_ps_e": 121, "xilinx.com:ip:processing_system7": 61}
"""By processing system: the number, in /proc/interrupts, of the first line from the fabric."""
_WORD = 4


class TritloomIP(pynq.DefaultIP):
    """The accelerator's registers, by name: `ip.get("STATUS")`, `ip.set("WATCHDOG", 0)`."""

    bindto = list(VLNV)

    def __init__(self, description: dict):
        super().__init__(description | {"interrupts": {}})
        self.address, self.size = description["phys_addr"], description["addr_range"]

    def get(self, name: str) -> int:
        """Read a register by name."""
        return self.mmio.read(register(name).offset)

    def set(self, name: str, value: int) -> None:
        """Write a register by name."""
        self.mmio.write(register(name).offset, int(value))  # MMIO takes int alone, no NumPy integer


class TritloomOverlay(pynq.Overlay):
    """An overlay with the accelerator in it, whatever its cell is called: `overlay.accelerator`."""

    @property
    def accelerator(self) -> TritloomIP:
        """The driver of the accelerator's registers; `DeviceError` where the hardware description has none."""
        for name, cell in self.ip_dict.items():
            if cell.get("driver") is TritloomIP:
                return getattr(self, name)
        raise DeviceError(f"{Path(self.bitfile_name).with_suffix('.hwh')} has no Tritloom accelerator "
                          f"({' or '.join(VLNV)}); it has {', '.join(self.ip_dict)}")

    @property
    def processing_system(self) -> tuple[str, dict[str, str]]:
        """Type and parameters of the processor's cell; an empty type where the hardware description has none."""
        for cell in self.ip_dict.values():
            kind = str(cell.get("type")).rpartition(":")[0]
            if kind in INTERRUPTS:
                return kind, cell.get("parameters") or {}
        return "", {}

    def uio(self) -> str | None:
        """Path of the device that the accelerator's interrupt wakes; None where the kernel has none."""
        try:
            return get_uio_irq(INTERRUPTS.get(self.processing_system[0]))
        except OSError:  # no /proc/interrupts, no class uio
            return None

    def release(self) -> None:
        """Take back what it added to the device tree. Memory goes with the last reference to its buffer."""
        if self.dtbo:
            self.remove_dtbo()


def active_board() -> pynq.Device:
    """The board that PYNQ finds; `DeviceError` where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PYNQ warns before it raises
        try:
            return pynq.Device.active_device
        except RuntimeError as error:
            raise DeviceError(f"no board: PYNQ says {str(error).lower()}. On a board, run as root in PYNQ's "
                              f"environment (XILINX_XRT set)") from None


def open_overlay(path: Path, board: pynq.Device) -> tuple[TritloomOverlay, TritloomIP]:
    """Load a bitstream and its clock; its overlay and the accelerator's driver. `DeviceError` where PYNQ cannot."""
    try:
        overlay = TritloomOverlay(str(path.resolve()), device=board)
        return overlay, overlay.accelerator
    except (OSError, RuntimeError, ValueError, KeyError, AttributeError) as error:  # PYNQ has no error class of its own
        raise DeviceError(f"PYNQ cannot load {path}: {error}") from None


def allocate_contiguous(size: int, board: pynq.Device) -> pynq.buffer.PynqBuffer:
    """Cached memory of the kernel's contiguous pool, uint8 [size]; `DeviceError` where it has no such piece."""
    try:
        return pynq.allocate((size,), np.uint8, target=board, cacheable=1)
    except (RuntimeError, OSError, MemoryError) as error:
        raise DeviceError(f"no {size / 2**20:.0f} MiB of contiguous memory ({error}): enlarge the kernel's pool, "
                          f"cma= on its command line") from None


def sync(memory: pynq.buffer.PynqBuffer, start: int, size: int, *, to_device: bool) -> None:
    """Write back or invalidate the caches over a range of a buffer."""
    if pyxrt is not None and isinstance(memory.bo, pyxrt.bo):
        directions = pyxrt.xclBOSyncDirection
        direction = directions.XCL_BO_SYNC_BO_TO_DEVICE if to_device else directions.XCL_BO_SYNC_BO_FROM_DEVICE
        memory.bo.sync(direction, size, start)
    elif to_device:
        memory[start:start + size].flush()
    else:
        memory[start:start + size].invalidate()


def fabric_mhz() -> float:
    """Clock of the fabric, from the PLL's and the divisors' registers; `DeviceError` where they cannot be read."""
    try:
        return float(pynq.Clocks.fclk0_mhz)
    except (AttributeError, OSError, RuntimeError, ValueError, ZeroDivisionError) as error:
        raise DeviceError(f"the fabric's clock cannot be read ({error})") from None


def read_word(address: int, board: pynq.Device) -> int:
    """A 32-bit register of the processing system."""
    return pynq.MMIO(address, _WORD, device=board).read(0)


def write_word(address: int, value: int, board: pynq.Device) -> None:
    """Write one."""
    pynq.MMIO(address, _WORD, device=board).write(0, int(value))

