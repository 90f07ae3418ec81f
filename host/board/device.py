"""A bitstream on a PYNQ board behind the device interface.

The bitstream is the one `host.bitstream` finds; beside it lie its hardware description (`tritloom.hwh`) and the
`accel.json` that `hw.build` wrote with the Verilog it was made from. Needs a board with PYNQ 3.0.1 or 4.0, XRT and root
rights; see docs/board-runtime.md.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from host.bitstream import DESCRIPTION, find_bitstream
from host.board import overlay as board_overlay
from host.board.description import read_description
from host.board.interrupt import UioInterrupt
from host.board.port_reads import PortReads
from host.board.port_width import wrong_widths
from host.devices.base import Buffer, Device, Progress
from models.errors import DeviceError, OptionError
from models.machine.build import BuildParameters
from models.machine.registers import REGISTERS, Control, Status, register

__all__ = ["CLOCK_TOLERANCE", "PynqDevice"]

CLOCK_TOLERANCE = 0.01  # divisors of a 33.333 MHz crystal's PLL meet 250 MHz within 0.01 %
POLL_S = 100e-6
INTERRUPT_S = 0.25  # without one STATUS is read all the same; above any run that nobody would call stalled
LOST_INTERRUPTS = 3  # in a row, after which STATUS is polled
RUN_LIMIT_S = 60.0  # of one run: far above any, the hardware's watchdog ends those that stall
WATCHDOG_S = 1.0  # without a retired descriptor; the longest, a full head of 330 MB, takes a thirtieth

_CONTROL, _STATUS = register("CONTROL").offset, register("STATUS").offset
_CYCLES_HIGH = register("CYCLES_HIGH").offset
_SHADOWED = {r.offset for r in REGISTERS if r.access == "rw"}


@dataclass(frozen=True)
class BoardBuffer(Buffer):
    """`array` is a plain view of `memory`, which XRT takes back when the last reference to either is gone."""

    memory: np.ndarray


class PynqDevice(Device):
    """The accelerator in a board's programmable logic.

    Raises `DeviceError` where files are missing or made for another build, where there is no board, the bitstream
    cannot be loaded, its clock is too fast, it is not the one that accel.json describes, or a memory port has another
    width. A clock that is too slow gives right tokens late: that is a warning.

    The registers are far away, so what they hold is remembered: a value that is there is not written again, a run that
    ended well is acknowledged by the next START, and its end is read once. A token takes four accesses where the
    interrupt reaches the host: its position, START, STATUS and the cycles.
    """

    name = "pynq"
    near = False

    def __init__(self, build: BuildParameters, bitstream: Path | None = None, *, checked: bool = True,
                 port_reads: int | None = None):
        """checked: whether what is wrong with it is raised at once, or left to the caller's `check_` calls.
        port_reads: that each memory port has under way until the device is closed; None: as they are.
        """
        path = bitstream or find_bitstream()
        self.bitstream, self.build = path, build
        self.description = read_description(path.with_name(DESCRIPTION), build)
        self._board = board_overlay.active_board()
        self._overlay, self.registers = board_overlay.open_overlay(path, self._board)
        self._held: dict[int, int] = {}
        self._ended: int | None = None  # STATUS of a run that ended well, until the next one starts
        self._started, self._run_s = 0.0, 0.0
        self._lost, self.interrupt = 0, _interrupt(self._overlay.uio())
        self.clock_mhz = self._read_clock()
        self.port_reads = self._port_reads(port_reads)
        self.watchdog = round(WATCHDOG_S * self.clock_mhz * 1e6)
        if checked:
            self.check_clock()
            self.identify()
            self.check_build()
            self.check_ports()
            self.stop()

    def check_clock(self) -> None:
        """`DeviceError` for a clock that is faster than the fabric's timing, a warning for a slower one."""
        found, expected = self.clock_mhz, self.description.clock_mhz
        if found > expected * (1 + CLOCK_TOLERANCE):
            raise DeviceError(f"the fabric runs at {found:.1f} MHz, but its timing was met at {expected:.1f} MHz")
        if found < expected * (1 - CLOCK_TOLERANCE):
            warnings.warn(f"the fabric runs at {found:.1f} MHz instead of {expected:.1f} MHz: tokens are right, "
                          f"figures of speed are not", RuntimeWarning, stacklevel=3)

    def check_build(self) -> None:
        """`DeviceError` where the bitstream is not the one that accel.json describes."""
        if (found := self.get("BUILD")) != self.description.word:
            raise DeviceError(f"{self.bitstream} is build {found:08x}, but accel.json beside it describes "
                              f"{self.description.word:08x}: they come from different runs of hw.build")

    def check_ports(self) -> None:
        """`DeviceError` where a port of the processor has another width than the design."""
        kind, parameters = self._overlay.processing_system
        if "zynq_ultra" not in kind:
            return
        wrong = wrong_widths(partial(board_overlay.read_word, board=self._board), self.build.ports, parameters)
        if wrong:
            raise DeviceError(f"{'; '.join(wrong)}: build tritloom.hwh and tritloom.bit in one run, and load them with "
                              f"PYNQ, which sets the widths")

    def _port_reads(self, reads: int | None) -> PortReads | None:
        """None where the ports have no such registers; `OptionError` where `reads` cannot be had."""
        if "zynq_ultra" not in self._overlay.processing_system[0]:
            if reads is not None:
                raise OptionError("--port-reads is for a Zynq UltraScale+: this board's ports have no such register")
            return None
        ports = PortReads(partial(board_overlay.read_word, board=self._board),
                          partial(board_overlay.write_word, board=self._board), self.build.ports)
        if reads is not None:
            ports.set(reads)
        return ports

    def _memory(self, size: int) -> Buffer:
        """Zeroed, cached memory of the kernel's contiguous pool. The buffer before it must not be in use any more."""
        memory = board_overlay.allocate_contiguous(size, self._board)
        memory[:] = 0
        return BoardBuffer(memory.view(np.ndarray), memory.device_address, memory)

    def write_register(self, offset: int, value: int) -> None:
        value = int(value)
        if offset == _CONTROL:
            self._control(value)
        elif offset not in _SHADOWED or self._held.get(offset) != value:
            self.registers.mmio.write(offset, value)
            self._held[offset] = value

    def _control(self, value: int) -> None:
        if value == Control.ACKNOWLEDGE and self._ended is not None:
            self._ended &= ~Status.DONE  # START clears it in the fabric
            return
        self._ended, self._started = None, time.monotonic()
        self.registers.mmio.write(_CONTROL, value)

    def read_register(self, offset: int) -> int:
        if offset == _STATUS and self._ended is not None:
            return self._ended
        if offset == _CYCLES_HIGH and self._ended is not None and self._run_s * self.clock_mhz * 1e6 < 1 << 31:
            return 0
        found = self.registers.mmio.read(offset)
        if offset == _STATUS and found & Status.DONE and not found & (Status.ERROR | Status.BUSY):
            self._ended, self._run_s = found, time.monotonic() - self._started
        return found

    def wait(self, progress: Progress | None = None) -> None:
        """Until the interrupt, or STATUS, says that the run has ended. `progress` is told the time passed, in cycles.
        `DeviceError` after `RUN_LIMIT_S`."""
        start = time.monotonic()
        while True:
            fired = self._await()
            if self.ended():
                self._count_lost(fired)
                return
            passed = time.monotonic() - start
            if progress:
                progress(int(passed * self.clock_mhz * 1e6))
            if passed > RUN_LIMIT_S:
                raise DeviceError(f"device {self.name} did not finish a run in {RUN_LIMIT_S:.0f} s")

    def _pause(self) -> None:
        time.sleep(POLL_S)

    def _distrust(self) -> None:
        self._held.clear()
        self._ended = None

    def _await(self) -> bool:
        """The end of the run for a while; whether the interrupt had its part in it, where there is one."""
        if self.interrupt is None:
            self._pause()
            return True
        self.interrupt.arm()
        return self.interrupt.wait(INTERRUPT_S)

    def _count_lost(self, fired: bool) -> None:
        self._lost = 0 if fired else self._lost + 1
        if self._lost == LOST_INTERRUPTS:
            warnings.warn(f"{self.interrupt.path} never fires: STATUS is polled from now on", RuntimeWarning,
                          stacklevel=2)
            self._drop_interrupt()

    def _drop_interrupt(self) -> None:
        if self.interrupt is not None:
            self.interrupt.close()
            self.interrupt = None

    def flush(self, buffer: Buffer, start: int, size: int) -> None:
        board_overlay.sync(cast(BoardBuffer, buffer).memory, start, size, to_device=True)

    def invalidate(self, buffer: Buffer, start: int, size: int) -> None:
        board_overlay.sync(cast(BoardBuffer, buffer).memory, start, size, to_device=False)

    def close(self) -> None:
        """End what runs; give back the interrupt, the ports' reads and what the overlay added to the device tree.
        Memory goes with the last reference to its buffer."""
        super().close()
        self._drop_interrupt()
        if self.port_reads is not None:
            self.port_reads.restore()
        self._overlay.release()

    def _read_clock(self) -> float:
        """The fabric's clock in MHz, read back from the PLL and divisor registers; what it should be where they cannot
        be read."""
        try:
            return board_overlay.fabric_mhz()
        except DeviceError as error:
            warnings.warn(f"{error}: measure no speed", RuntimeWarning, stacklevel=3)
            return self.description.clock_mhz


def _interrupt(path: str | None) -> UioInterrupt | None:
    if path is None:
        return None
    try:
        return UioInterrupt(path)
    except OSError as error:
        warnings.warn(f"no interrupt, STATUS is polled: {error}", RuntimeWarning, stacklevel=3)
        return None
