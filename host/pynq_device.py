"""A bitstream on a PYNQ board behind the device interface. The only file that imports `pynq`.

The bitstream is the file named by the environment variable TRITLOOM_BITSTREAM, else `tritloom.bit` in the working
directory. Beside it lie its hardware description (`tritloom.hwh`) and the `accel.json` that `hw.build` wrote with
the Verilog it was made from. Needs a board with PYNQ 4, XRT and root rights; see docs/board.md.
"""

from __future__ import annotations

import json
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pynq

from host.bitstream import BITSTREAM_VARIABLE, DESCRIPTION, find_bitstream
from host.devices.base import Buffer, Device, Progress
from models.errors import DeviceError
from models.machine.build import BuildParameters
from models.machine.registers import Status

try:
    import pyxrt  # part of XRT on a board's system, not on PyPI
except ImportError:
    pyxrt = None

__all__ = ["BITSTREAM_VARIABLE", "CELL", "PynqDevice", "find_bitstream", "read_description"]

CELL = "tritloom"  # the accelerator's name in the block design

CLOCK_TOLERANCE = 0.01  # divisors of a 33.333 MHz crystal's PLL meet 250 MHz within 0.01 %
POLL_S = 100e-6
RUN_LIMIT_S = 60.0  # of one run: far above any, the hardware's watchdog ends those that stall
WATCHDOG_S = 1.0  # without a retired descriptor; the longest, a full head of 330 MB, takes a thirtieth


@dataclass(frozen=True)
class _BoardBuffer(Buffer):
    """`array` is a plain view of `memory`, which XRT takes back when the last reference to either is gone."""

    memory: pynq.buffer.PynqBuffer


class PynqDevice(Device):
    """The accelerator in a board's programmable logic.

    Raises `DeviceError` where files are missing or made for another build, where there is no board, the bitstream
    cannot be loaded, it is not the one that accel.json describes, or its clock is too fast.
    A clock that is too slow gives right tokens late: that is a warning.
    """

    name = "pynq"

    def __init__(self, build: BuildParameters, bitstream: Path | None = None):
        path = bitstream or find_bitstream()
        description = read_description(path.with_name(DESCRIPTION), build)
        self.build = build
        self._board = _board()
        self._overlay, self._registers = self._load(path)
        self.identify()
        expected, found = int(str(description["hash"])[:8], 16), self.get("BUILD")
        if found != expected:
            raise DeviceError(f"{path} is build {found:08x}, but accel.json beside it describes {expected:08x}: "
                              f"they come from different runs of hw.build")
        self.clock_mhz = self._check_clock(float(description["clock_mhz"]))
        self.set("WATCHDOG", round(WATCHDOG_S * self.clock_mhz * 1e6))

    def allocate(self, size: int) -> Buffer:
        """Zeroed, cached memory of the kernel's contiguous pool. The buffer before it must not be in use any more."""
        try:
            memory = pynq.allocate((size,), np.uint8, target=self._board, cacheable=1)
        except (RuntimeError, OSError, MemoryError) as error:
            raise DeviceError(f"no {size / 2**20:.0f} MiB of contiguous memory ({error}): enlarge the kernel's pool, "
                              f"cma= on its command line") from None
        memory[:] = 0
        self.confine(memory.device_address, size)
        self.saturated_before = self.get("SATURATIONS")
        return _BoardBuffer(memory.view(np.ndarray), memory.device_address, memory)

    def write_register(self, offset: int, value: int) -> None:
        self._registers.write(offset, int(value))  # MMIO takes int alone, no NumPy integer

    def read_register(self, offset: int) -> int:
        return self._registers.read(offset)

    def wait(self, progress: Progress | None = None) -> None:
        """Poll STATUS. `progress` is told the time passed, in cycles. `DeviceError` after `RUN_LIMIT_S`."""
        start = time.monotonic()
        while not self.get("STATUS") & (Status.DONE | Status.ERROR):
            passed = time.monotonic() - start
            if passed > RUN_LIMIT_S:
                raise DeviceError(f"device {self.name} did not finish a run in {RUN_LIMIT_S:.0f} s; its memory may "
                                  f"still be written to: load the bitstream anew")
            if progress:
                progress(int(passed * self.clock_mhz * 1e6))
            time.sleep(POLL_S)

    def flush(self, buffer: Buffer, start: int, size: int) -> None:
        _sync(cast(_BoardBuffer, buffer).memory, start, size, to_device=True)

    def invalidate(self, buffer: Buffer, start: int, size: int) -> None:
        _sync(cast(_BoardBuffer, buffer).memory, start, size, to_device=False)

    def close(self) -> None:
        """Remove what the overlay added to the device tree. Memory goes with the last reference to its buffer."""
        self._overlay.free()

    def _load(self, path: Path) -> tuple[pynq.Overlay, pynq.MMIO]:
        try:
            overlay = pynq.Overlay(str(path.resolve()), device=self._board)
            cell = overlay.ip_dict.get(CELL)
            if cell is None:
                raise DeviceError(f"{path.with_suffix('.hwh')} has no {CELL}; it has {', '.join(overlay.ip_dict)}")
            return overlay, pynq.MMIO(cell["phys_addr"], cell["addr_range"], device=self._board)
        except (OSError, RuntimeError, ValueError, KeyError) as error:  # PYNQ has no error class of its own
            raise DeviceError(f"PYNQ cannot load {path}: {error}") from None

    @staticmethod
    def _check_clock(expected: float) -> float:
        """The fabric's clock in MHz, read back from the PLL and divisor registers."""
        try:
            found = float(pynq.Clocks.fclk0_mhz)
        except (AttributeError, OSError, RuntimeError, ValueError, ZeroDivisionError) as error:
            warnings.warn(f"the fabric's clock cannot be read ({error}): measure no speed", RuntimeWarning,
                          stacklevel=3)
            return expected
        if found > expected * (1 + CLOCK_TOLERANCE):
            raise DeviceError(f"the fabric runs at {found:.1f} MHz, but its timing was met at {expected:.1f} MHz")
        if found < expected * (1 - CLOCK_TOLERANCE):
            warnings.warn(f"the fabric runs at {found:.1f} MHz instead of {expected:.1f} MHz: tokens are right, "
                          f"figures of speed are not", RuntimeWarning, stacklevel=3)
        return found


def read_description(path: Path, build: BuildParameters) -> dict[str, object]:
    """accel.json's content; `DeviceError` where it is damaged or of another build than `build`."""
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        parameters = dict(description["parameters"])
        int(str(description["hash"])[:8], 16), float(description["clock_mhz"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeviceError(f"{path} is not the description of a build: {error!r}") from None
    for name, value in build.to_json().items():
        if parameters.get(name) != value:
            raise DeviceError(f"{path}: the bitstream's {name} is {parameters.get(name)!r}, but board {build.name} has "
                             f"{value!r}: choose the --board that it was built for, or --build {path}")
    return description


def _board() -> pynq.Device:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PYNQ warns before it raises
        try:
            return pynq.Device.active_device
        except RuntimeError as error:
            raise DeviceError(f"no board: PYNQ says {str(error).lower()}. On a board, run as root in PYNQ's "
                              f"environment (XILINX_XRT set)") from None


def _sync(memory: pynq.buffer.PynqBuffer, start: int, size: int, *, to_device: bool) -> None:
    """Write back or invalidate the caches over a range of a buffer.

    PYNQ 4.0 hands the range of a slice to its device, whose XRT class drops it and syncs the whole buffer: some
    million cache lines a token. XRT's own call takes the range, so it is called where there is one.
    """
    if pyxrt is not None and isinstance(memory.bo, pyxrt.bo):
        directions = pyxrt.xclBOSyncDirection
        direction = directions.XCL_BO_SYNC_BO_TO_DEVICE if to_device else directions.XCL_BO_SYNC_BO_FROM_DEVICE
        memory.bo.sync(direction, size, start)
    elif to_device:
        memory[start:start + size].flush()
    else:
        memory[start:start + size].invalidate()
