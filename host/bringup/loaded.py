"""A device for a report: opened with its checks one by one, a board's before anything runs in it."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from host.bringup.check import Check, State, failed, guarded, passed, skipped
from host.command_line import build_of, check_device_options, device_options
from host.devices.base import Device
from host.devices.registry import open_device
from host.link.line_speed import SLOW_MS, measure_line
from hw.boards.chosen_build import asks_for_build
from models.errors import DeviceError, TritloomError
from models.machine.build import BuildParameters
from models.store.content import sha256_of

__all__ = ["Opening", "fabric_build", "file_hash"]

_HASH_CHARACTERS = 16
_REBUILD = "copy tritloom.bit, tritloom.hwh and accel.json anew, from one run of hw.build and Vivado"
_CHECKED = ("pynq", "serial")
"""Devices that check themselves when they are opened, or leave that to the report."""
_FIXES = {
    "clock": "another program has set the clock, or the PLL is not the one that the build took for granted: restart "
             "the board; if it stays, build with a slower clock",
    "registers": "load the bitstream that belongs to this runtime: " + _REBUILD,
    "bitstream": _REBUILD,
    "memory ports": _REBUILD,
    "serial line": "the USB chip may keep answers back: set its latency timer to 1 ms (docs/link.md)",
}


def fabric_build(options: argparse.Namespace) -> BuildParameters:
    """The build of the options, and for the emulator a fabric's where they name none: its own has no ports."""
    if options.device == "emulator" and not asks_for_build(options):
        options.board = "sim-tiny"
    return build_of(options)


class Opening:
    """Opens the device of the options; `checks` gives a line for each thing that is looked at on the way.

    device: None until it is open, and where it could not be. sound: whether programs may run in it.
    """

    def __init__(self, options: argparse.Namespace, build: BuildParameters):
        check_device_options(options)
        self._name, self._build, self._options = options.device, build, options
        self.device: Device | None = None
        self.sound = False

    def checks(self) -> Iterator[Check]:
        """The clock first: at a clock that is too fast, nothing else that is read means anything."""
        try:
            options = device_options(self._options)
            if self._name in _CHECKED:
                options["checked"] = False
            self.device = open_device(self._name, self._build, identified=False, **options)
        except TritloomError as error:
            yield failed("device", str(error), "see docs/board-runtime.md")
            return
        done = []
        line = [("serial line", self._line)] if self._name == "serial" else []
        for name, look in (("clock", self._clock), ("registers", self._registers), ("bitstream", self._bitstream),
                           ("memory ports", self._ports), *line):
            if any(check.state == State.FAIL for check in done):
                yield skipped(name, "not looked at: the line before failed")
            else:
                done.append(guarded(name, _FIXES[name], look))
                yield done[-1]
        self.sound = all(check.state != State.FAIL for check in done)

    def _of_board(self, name: str, look: Callable[[Any], Check], boards: Sequence[str] = _CHECKED) -> Check:
        return look(self.device) if self._name in boards else skipped(name, f"device {self._name} has none of its own")

    def _clock(self) -> Check:
        def look(board: Any) -> Check:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                board.check_clock()
            if warned:
                raise DeviceError(str(warned[0].message))
            return passed("clock", f"{board.clock_mhz:.2f} MHz", mhz=board.clock_mhz)

        return self._of_board("clock", look)

    def _registers(self) -> Check:
        self.device.identify()
        return passed("registers", f"version {self.device.get('VERSION')} of the map")

    def _bitstream(self) -> Check:
        def look(board: Any) -> Check:
            board.check_build()
            if self._name == "serial":
                return passed("bitstream", f"build {board.description.word:08x}")
            return passed("bitstream", f"build {board.description.word:08x}, {board.bitstream} has SHA-256 "
                                       f"{file_hash(board.bitstream)[:_HASH_CHARACTERS]}…",
                          sha256=file_hash(board.bitstream))

        return self._of_board("bitstream", look)

    def _ports(self) -> Check:
        def look(board: Any) -> Check:
            board.check_ports()
            way = f"interrupt {board.interrupt.path}" if board.interrupt else "no interrupt: STATUS is polled"
            reads = f" with {_of_each(board.port_reads.get())} reads under way" if board.port_reads else ""
            return passed("memory ports", f"registers at {board.registers.address:#x}, "
                                          f"{board.build.ports} ports of 128 bits{reads}, {way}")

        return self._of_board("memory ports", look, ("pynq",))

    def _line(self) -> Check:
        def look(board: Any) -> Check:
            line = measure_line(board.client)
            words = (f"{line.port}, {line.milliseconds:.2f} ms to an answer and back, {line.damaged} frames damaged, "
                     f"{line.dropped} dropped since the board's reset")
            if line.milliseconds > SLOW_MS:
                return failed("serial line", words, _FIXES["serial line"])
            return passed("serial line", words, **line._asdict())

        return self._of_board("serial line", look, ("serial",))


def _of_each(numbers: Sequence[int]) -> str:
    """One where all are the same."""
    return ", ".join(map(str, numbers if len({*numbers}) > 1 else numbers[:1]))


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    return sha256_of([path])[path.name]
