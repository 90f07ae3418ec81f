"""A board behind a serial line as a device, `serial`: the ULX3S, or its simulation behind a socket.

The line is slow and far: what registers hold is remembered, what the host writes is sent on without waiting for an
answer, and a run's end brings its counters and what the host read after the run before. A token takes two round trips
(docs/link.md).
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import numpy as np

from host.board.description import Description, read_description
from host.devices.base import Buffer, Device, Progress
from host.link.client import Client
from host.link.failures import LinkError
from host.link.request import Request
from host.link.transport import Transport
from host.link.upload import PAGE, upload
from models.errors import DeviceError
from models.machine.build import BuildParameters
from models.machine.link import BEAT, MOST_DATA, Operation
from models.machine.registers import REGISTERS, Control, Status, register

__all__ = ["SerialDevice"]

RUN_LIMIT_S = 120.0  # of one run: the hardware's watchdog ends those that stall
WATCHDOG_S = 4.0  # without a retired descriptor; the longest, a whole head of 16 MB, takes a tenth of a second
_ADDRESS = 0  # of the buffer
_CLOCK_TOLERANCE = 0.001

_WRITABLE = {r.offset for r in REGISTERS if r.access == "rw"}
_CONTROL, _STATUS = register("CONTROL").offset, register("STATUS").offset
_ENDED = range(_STATUS, register("ACTIVATIONS").offset + 4, 4)  # read at each run's end
_PROFILED = range(_STATUS, register("BUSY_HEAD").offset + 4, 4)  # likewise, once one behind these was asked for


class _Memory(Enum):
    """The board's, beside what the buffer had when it was written."""

    UNKNOWN = "unknown"
    BLANK = "to be zeroed"
    KNOWN = "equal, but for what runs wrote"


class SerialDevice(Device):
    """The accelerator behind a serial port.

    port: a device or a URL, None for the board that is found. description: accel.json of the bitstream, or what it
    says. transport: in place of a port. `LinkError` where there is no answer, or one of another version; `DeviceError`
    where the bitstream is not the one described, or its clock is another.

    A board that was reset, or used by another program meanwhile, is told once it is noticed, and from then on by every
    call: `recover` with `rewritten`, or `allocate`, begins anew.
    """

    name = "serial"
    near = False
    patience = 500
    wait_ms = 200
    """Of one request that waits for a run's end: Ctrl-C is heard in between."""

    def __init__(self, build: BuildParameters, *, port: str | None = None, description: Path | Description,
                 transport: Transport | None = None, patience: float | None = None, checked: bool = True):
        """checked: whether what is wrong with it is raised at once, or left to the caller's `check_` calls. patience:
        of `Client`."""
        self.build = build
        self.description = (description if isinstance(description, Description)
                            else read_description(description, build))
        self.client = Client(transport or Transport(port), patience=patience)
        self.watchdog = round(WATCHDOG_S * self.clock_mhz * 1e6)
        self.uploaded = 0
        """Bytes of models that were sent so far; those that the board held already are not among them."""
        self._held: dict[int, int] = {}  # what registers hold
        self._to_write: dict[int, int] = {}  # registers that are to be written before the next access
        self._at_end = _ENDED
        self._seen: dict[int, int] = {}  # registers as read at the end of the last run
        self._habit: tuple[int, int] | None = None  # what was read after the run before
        self._ahead: tuple[int, int, bytes] | None = None  # and what was read so after this one
        self._memory_is = _Memory.UNKNOWN
        if checked:
            self.check_clock()
            self.identify()
            self.check_build()
            self.stop()

    @property
    def clock_mhz(self) -> float:
        """The fabric's, as the board says."""
        return self.client.greeting.clock_khz / 1e3

    def check_clock(self) -> None:
        """`DeviceError` where the board's clock is not the one that its timing was met at."""
        found, expected = self.clock_mhz, self.description.clock_mhz
        if abs(found - expected) > expected * _CLOCK_TOLERANCE:
            raise DeviceError(f"the board runs at {found:.1f} MHz, but its timing was met at {expected:.1f} MHz")

    def check_build(self) -> None:
        """`DeviceError` where the bitstream on the board is not the one that accel.json describes."""
        if (found := self.get("BUILD")) != self.description.word:
            raise DeviceError(f"the board at {self.client.transport.name} is build {found:08x}, but accel.json "
                              f"describes {self.description.word:08x}: load the bitstream beside it")

    def allocate(self, size: int) -> Buffer:
        self.recover(rewritten=True)
        return super().allocate(size)

    def recover(self, *, rewritten: bool = False) -> None:
        try:
            super().recover(rewritten=rewritten)
        except LinkError:
            if not rewritten:
                raise
            self.client.greet()
            self._memory_is = _Memory.UNKNOWN
            super().recover(rewritten=rewritten)

    def _memory(self, size: int) -> Buffer:
        size = -(-size // PAGE) * PAGE
        room = self.client.greeting.memory_bytes - PAGE  # the last page is the header's
        if size > room:
            raise DeviceError(f"the model takes {size / 2**20:.1f} MiB of memory, the board has {room / 2**20:.1f}: "
                              "choose a shorter --context or a smaller model")
        self._memory_is, self._habit, self._ahead = _Memory.BLANK, None, None
        return Buffer(np.zeros(size, np.uint8), _ADDRESS)

    def write_register(self, offset: int, value: int) -> None:
        value = int(value)
        if offset != _CONTROL:
            if offset not in _WRITABLE or {**self._held, **self._to_write}.get(offset) != value:
                self._to_write[offset] = value
            return
        if value == Control.ACKNOWLEDGE and self._seen.get(_STATUS, 0) & Status.DONE:
            self._seen[_STATUS] &= ~Status.DONE  # START clears it in the fabric
            return
        if value & Control.START:
            self._make_known()
        self._write_held()
        self._seen.clear()
        self._ahead = None
        self.client.write_registers(_CONTROL, [value])

    def _write_held(self) -> None:
        """Write what registers are to hold, those next to each other in one frame."""
        while self._to_write:
            first = min(self._to_write)
            offsets = [first]
            while offsets[-1] + 4 in self._to_write:
                offsets.append(offsets[-1] + 4)
            values = {offset: self._to_write[offset] for offset in offsets}
            self.client.write_registers(first, values.values())
            self._held |= values
            for offset in offsets:
                del self._to_write[offset]

    def read_register(self, offset: int) -> int:
        if offset in self._seen:
            return self._seen[offset]
        self._write_held()
        if self._seen and offset in _PROFILED:
            self._at_end = _PROFILED
            found = dict(zip(_PROFILED, self.client.read_registers(_PROFILED.start, len(_PROFILED)), strict=True))
            self._seen = found | self._seen  # STATUS as it was: acknowledged here alone
            return self._seen[offset]
        return self.client.read_registers(offset, 1)[0]

    def wait(self, progress: Progress | None = None) -> None:
        """`DeviceError` after `RUN_LIMIT_S`."""
        waited = 0
        while not self.client.wait(self.wait_ms) & (Status.DONE | Status.ERROR):
            if self.ended():
                break
            waited += self.wait_ms
            if progress:
                progress(int(waited / 1e3 * self.clock_mhz * 1e6))
            if waited > RUN_LIMIT_S * 1e3:
                raise DeviceError(f"device {self.name} did not finish a run in {RUN_LIMIT_S:.0f} s")
        self._take_end()
        self.ended()

    def _take_end(self) -> None:
        """Counters of the run that has ended, and what was read after the one before: it will be asked for again."""
        reads = [Request(Operation.READ_REGISTERS, self._at_end.start, 4 * len(self._at_end))]
        if self._habit is not None:
            reads.append(Request(Operation.READ_MEMORY, self._habit[0], self._habit[1]))
        registers, *memory = self.client.fetch(reads)
        if memory:
            self._ahead = (*self._habit, memory[0])
        self._seen = dict(zip(self._at_end, np.frombuffer(registers, "<u4").tolist(), strict=True))

    def _pause(self) -> None:
        self.client.transport.pause(1e-3)

    def _distrust(self) -> None:
        self._held.clear()
        self._to_write.clear()
        self._seen.clear()
        self._ahead = None

    def _end_after(self, error: BaseException) -> None:
        if not isinstance(error, LinkError):  # behind a link that is lost nothing can be ended
            super()._end_after(error)

    def flush(self, buffer: Buffer, start: int, size: int) -> None:
        """Regions begin and end at multiples of 16, or at least nothing of the device lies beside them."""
        self._ahead = None
        if start == 0 and size == buffer.array.size:
            self._memory_is = _Memory.UNKNOWN  # until all of it is there
            self.uploaded += upload(self.client, buffer.array, buffer.address, self._header_address)
            self._memory_is = _Memory.KNOWN
            return
        self._make_known()
        first, end = _beats(start, size)
        self.client.write_memory(buffer.address + first, buffer.array[first:end].tobytes())

    def _make_known(self) -> None:
        """Put zeros on the board where the buffer is new; `DeviceError` where its content is not known."""
        if self._memory_is is _Memory.UNKNOWN:
            raise DeviceError(f"device {self.name}: the model is not in the board's memory, or only a part of it")
        if self._memory_is is _Memory.BLANK:
            self.client.fill_memory(self.buffer.address, self.buffer.array.size)
            self._memory_is = _Memory.KNOWN

    @property
    def _header_address(self) -> int:
        return self.client.greeting.memory_bytes // PAGE * PAGE - PAGE

    def invalidate(self, buffer: Buffer, start: int, size: int) -> None:
        self._make_known()
        first, end = _beats(start, size)
        where = (buffer.address + first, end - first)
        ahead = self._ahead
        data = ahead[2] if ahead is not None and ahead[:2] == where else self.client.read_memory(*where)
        if self._seen:  # behind a run
            self._habit = where if where[1] <= MOST_DATA else None
        buffer.array[start:start + size] = np.frombuffer(data, np.uint8)[start - first:start - first + size]

    def close(self) -> None:
        """End what runs, where the board still answers; give the port back."""
        try:
            super().close()
        except LinkError:
            pass
        finally:
            self.client.close()


def _beats(start: int, size: int) -> tuple[int, int]:
    """The whole units of memory around bytes: first and end."""
    return start // BEAT * BEAT, -(-(start + size) // BEAT) * BEAT
