"""What is looked at with a model in the device's memory, and with programs that read it: addresses, weights, rates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from host.bringup.bandwidth import Placement, measure_placements
from host.bringup.check import Check, failed, guarded, passed, skipped
from host.bringup.loaded import file_hash
from host.compiler.program import Program
from host.devices.base import Device
from host.runtime import Session
from hw.boards.registry import board_of
from models.checkpoint_writer import TENSORS
from models.machine.registers import LIMIT_BYTES

__all__ = ["LEAST_SHARE", "USED_SHARE", "check_addresses", "check_rates", "check_weights"]

LEAST_SHARE = 0.65
"""Of the rate that the memory's model gives, below which something is wrong: the worst of 512 placements that were
measured on a board is at 0.70."""
USED_SHARE = 0.9
"""Of the best placement's rate, below which another one is worth having."""
_READ_BYTES = 32 << 20
_READ_SIMULATED = 1 << 17
_ADDRESS_BITS = 40
_PAGE = 4096
_MIB = 2**20


def check_addresses(device: Device) -> Check:
    """Where the fabric's memory lies, and that it may touch that alone."""
    start, size = device.buffer.address, device.buffer.array.size
    base, limit = (device.get(name) * LIMIT_BYTES for name in ("BASE", "LIMIT"))
    words = f"{size / _MIB:.1f} MiB at {start:#x}, the fabric may touch {base:#x} to {limit:#x}"
    if start % _PAGE or start + size > 1 << _ADDRESS_BITS:
        return failed("addresses", words, "the buffer must begin with a page and end below 2^40: restart the board")
    if (base, limit) != (start, start + -(-size // LIMIT_BYTES) * LIMIT_BYTES):
        return failed("addresses", words, "BASE and LIMIT do not hold what is written: load the bitstream anew")
    return passed("addresses", words, address=start, size=size)


def check_weights(session: Session) -> Check:
    """The file's hash, and that what the device has in memory is what the file holds."""
    folder, program, buffer = session.model.folder, session.program, session.buffer
    session.device.invalidate(buffer, 0, program.size)
    wanted = _Comparison(buffer.array)
    again = Program(session.model, program.build, rows=program.rows, taps=program.taps, sequences=program.sequences,
                    head=program.head, layers=program.layers)
    again.write(wanted, buffer.address, place=wanted.place)
    sha256 = file_hash(folder / TENSORS) if folder is not None else ""
    words = f"{wanted.compared / _MIB:.1f} MiB in memory"
    words += f", {TENSORS} has SHA-256 {sha256[:16]}…" if folder else ""
    if wanted.wrong:
        return failed("weights", f"{wanted.wrong} of {words} differ from the file, first at "
                                 f"{buffer.address + wanted.first:#x}",
                      "a flush of the cache was lost or memory is faulty: see the lines of the ports", sha256=sha256)
    return passed("weights", words, sha256=sha256)


class _Comparison:
    """Stands for the memory that a program is written into, and compares it with what lies there."""

    def __init__(self, there: np.ndarray):
        self._there = there
        self.compared = self.wrong = 0
        self.first = 0

    def __setitem__(self, where: slice, data: np.ndarray) -> None:
        differs = np.flatnonzero(self._there[where] != data)
        if differs.size and not self.wrong:
            self.first = where.start + int(differs[0])
        self.compared += int(np.size(data))
        self.wrong += differs.size

    def place(self, start: int, data: np.ndarray) -> None:
        """Streams that the device may read where they lie are not in the buffer: nothing to compare."""


def check_rates(device: Device, clock_mhz: float) -> Iterator[Check]:
    """A line for each port, and one for the placements."""
    size = _READ_BYTES if device.name == "pynq" else _READ_SIMULATED
    found: list[Placement] = []

    def measure() -> Check:
        found.extend(measure_placements(device, clock_mhz, size))
        return passed("bandwidth", f"{len(found)} placements measured")

    done = guarded("bandwidth", "see the line of the register that it names, docs/registers.md", measure)
    if not found:
        yield done if done.fix else skipped("bandwidth", f"device {device.name} counts no beats")
        return
    memory = board_of(device.build).memory
    expected = memory.sequential_gb_s(device.build) * clock_mhz / device.build.clock_mhz
    for port in range(device.build.ports):
        yield _port(port, max(placement.port_gb_s[port] for placement in found), expected / device.build.ports)
    yield _placements(found, expected)


def _port(port: int, rate: float, expected: float) -> Check:
    words = f"{rate:.2f} GB/s, the memory's model {expected:.2f}"
    if rate < LEAST_SHARE * expected:
        return failed(f"bandwidth of port {port}", words,
                      f"see the width of port HP{port}, and what else uses the memory", gb_s=rate,
                      expected_gb_s=expected)
    return passed(f"bandwidth of port {port}", words, gb_s=rate, expected_gb_s=expected)


def _placements(found: list[Placement], expected: float) -> Check:
    """Whether streams as programs have them, the first of those measured, get nearly as much as the best."""
    best, used = max(found, key=lambda placement: placement.gb_s), found[0]
    words = (f"streams get {used.gb_s:.2f} GB/s with ports {used.apart} bytes apart, best {best.gb_s:.2f} with "
             f"{best.apart}; the memory's model {expected:.2f}")
    data = {"expected_gb_s": expected, "placements": [
        {"apart": p.apart, "gb_s": p.gb_s, "port_gb_s": p.port_gb_s} for p in found]}
    if used.gb_s < USED_SHARE * best.gb_s:
        return failed("bandwidth, placements", words, f"lay streams with their ports {best.apart} bytes apart "
                                                      f"(docs/memory-model.md)", **data)
    return passed("bandwidth, placements", words, **data)
