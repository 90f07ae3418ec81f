"""The board's end of the link, written from docs/link.md: bytes in at their times, bytes out at theirs.

Nothing is taken from the host's end or from the gateware. Time is a number of seconds that the caller lets pass.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import numpy as np

from models.machine.build import BuildParameters
from tests.host.link.modelled_core import ModelledCore

__all__ = ["BYTE_S", "BoardModel", "Said"]

BYTE_S = 10 / 3_000_000
HELLO, READ_REGISTERS, WRITE_REGISTERS, READ_MEMORY, WRITE_MEMORY, CHECK_MEMORY, RESET, WAIT, FILL_MEMORY = range(9)
READS = (READ_REGISTERS, READ_MEMORY, CHECK_MEMORY, WAIT)
OK, OUT_OF_ORDER, NOT_GREETED, BAD_OPERATION, BAD_ADDRESS, BAD_LENGTH, BUS_ERROR, TOO_LATE = range(8)
LAST_FLAG = 0x7E
NOTHING = b""


class Said(NamedTuple):
    """Bytes that leave the board from a time on."""

    at: float
    data: bytes


class _Request(NamedTuple):
    sequence: int
    operation: int
    session: int
    address: int
    size: int
    data: bytes


class BoardModel:
    """A board with `memory_bytes` of memory, full of noise. run_s: that each run of its core takes.

    answers: what it says, in order; whoever carries the bytes takes them away. executed: operations, in order.
    """

    def __init__(self, build: BuildParameters, *, memory_bytes: int = 8 << 20, clock_mhz: float = 60.0,
                 run_s: float = 0.01, word: int = 0xC0FFEE42, version: int = 1):
        self.memory = np.random.default_rng(9).integers(0, 256, memory_bytes, np.uint8)
        self.core = ModelledCore(build, self.memory, run_s=run_s, word=word)
        self.clock_khz, self.version = round(clock_mhz * 1000), version
        self.answers: list[Said] = []
        self._heard = 0.0
        self.executed: list[int] = []
        self.reset()

    def reset(self) -> None:
        """The button, or a configuration: memory stays, all else is lost."""
        self.core.reset()
        self.session = self.expected = self.known = self.only_reads = 0
        self.damaged = self.dropped = 0
        self._frame, self._escape, self._drops = bytearray(), False, False
        self._held: list[float] = []  # until when requests take up the buffers
        self._waiting: tuple[_Request, float] | None = None
        self._free = self.now  # when the last answer has left
        self.answers.clear()

    def hear(self, data: bytes, start: float) -> None:
        """Bytes on the line, the first of which begins at `start`."""
        for n, byte in enumerate(data):
            self._heard = now = start + (n + 1) * BYTE_S
            if byte == LAST_FLAG:
                self._flag(now)
            else:
                self._byte(byte, now)

    def _byte(self, byte: int, now: float) -> None:
        if not self._frame and not self._escape and not self._drops:
            self._let_pass(now)
            self._drops = sum(until > now for until in self._held) + (self._waiting is not None) >= 2
        if byte == 0x7D and not self._escape:
            self._escape = True
            return
        if len(self._frame) < 2000:
            self._frame.append(byte ^ (0x20 if self._escape else 0))
        self._escape = False

    def _flag(self, now: float) -> None:
        frame, escape, drops = bytes(self._frame), self._escape, self._drops
        self._frame, self._escape, self._drops = bytearray(), False, False
        if drops:
            self.dropped += 1
        elif frame or escape:
            body = frame[:-4]
            whole = zlib.crc32(body) == int.from_bytes(frame[-4:], "little")
            if escape or not whole or not 12 <= len(body) <= 12 + 1024:
                self.damaged += 1
            else:
                self._good(_Request(*struct.unpack_from("<BBHII", body), body[12:]), now)

    def _good(self, request: _Request, now: float) -> None:
        self._let_pass(now)
        if self._waiting is not None:  # another good frame ends it
            self._end_wait(now)
        start = max(now, self._free)
        self.core.advance(start)
        self._answer(request, *self._judge(request), start)

    def pass_time(self, now: float) -> None:
        """Let it do what falls due until now."""
        self._let_pass(now)

    @property
    def now(self) -> float:
        """The time that has passed for it."""
        return max(self.core.now, self._heard)

    def next_event(self) -> float | None:
        """When something will fall due by itself."""
        if self._waiting is None:
            return None
        return min(t for t in (self._waiting[1], self.core.ends) if t is not None)

    def _let_pass(self, now: float) -> None:
        if self._waiting is not None and (event := self.next_event()) <= now:
            self._end_wait(event)
        self.core.advance(now)

    def _end_wait(self, now: float) -> None:
        request, self._waiting = self._waiting[0], None
        self.core.advance(now)
        self._answer(request, *self._done(request, self.core.get("STATUS").to_bytes(4, "little")), now)

    def _judge(self, request: _Request) -> tuple[bytes | None, int]:
        """Data, None where the answer comes later, and status."""
        if (wrong := self._form(request)) != OK:
            return NOTHING, wrong
        if request.operation == HELLO:
            return self._hello(request), OK
        if not self.session or request.session != self.session:
            return NOTHING, NOT_GREETED
        behind = (self.expected - request.sequence) % 256
        if behind == 0:
            return self._execute(request, again=False)
        if behind > min(64, self.known):
            return NOTHING, OUT_OF_ORDER
        if request.operation not in READS:
            return NOTHING, OK
        if behind > self.only_reads:
            return NOTHING, TOO_LATE
        return self._execute(request, again=True)

    def _form(self, request: _Request) -> int:
        operation, address, size = request.operation, request.address, request.size
        if operation not in range(9):
            return BAD_OPERATION
        must = size if operation in (WRITE_REGISTERS, WRITE_MEMORY) else 16 if operation == FILL_MEMORY else 0
        unit, most, space = {
            READ_REGISTERS: (4, 1024, 4096), WRITE_REGISTERS: (4, 1024, 4096),
            READ_MEMORY: (16, 1024, self.memory.size), WRITE_MEMORY: (16, 1024, self.memory.size),
            CHECK_MEMORY: (16, 1 << 32, self.memory.size), FILL_MEMORY: (16, 1 << 32, self.memory.size),
        }.get(operation, (0, 0, 0))
        if len(request.data) != must or (unit and (not 0 < size <= most or size % unit)):
            return BAD_LENGTH
        if unit and (address % unit or address + size > space):
            return BAD_ADDRESS
        return OK

    def _hello(self, request: _Request) -> bytes:
        if request.session != self.session:
            self.session, self.expected = request.session, (request.sequence + 1) % 256
            self.known = self.only_reads = 0
        return struct.pack("<HHIIHH", self.version, 1024, self.memory.size, self.clock_khz, self.damaged % 65536,
                           self.dropped % 65536)

    def _execute(self, request: _Request, *, again: bool) -> tuple[bytes | None, int]:
        operation, address, size = request.operation, request.address, request.size
        self.executed.append(operation)
        data = NOTHING
        if operation == READ_REGISTERS:
            data = b"".join(self._register(offset) for offset in range(address, address + size, 4))
        elif operation == WRITE_REGISTERS:
            for n in range(0, size, 4):
                self._set_register(address + n, int.from_bytes(request.data[n:n + 4], "little"))
        elif operation == READ_MEMORY:
            data = self.memory[address:address + size].tobytes()
        elif operation in (WRITE_MEMORY, FILL_MEMORY):
            self.memory[address:address + size] = np.resize(np.frombuffer(request.data, np.uint8), size)
            self.core.wrote(address, size)
        elif operation == CHECK_MEMORY:
            data = zlib.crc32(self.memory[address:address + size]).to_bytes(4, "little")
        elif operation == RESET:
            self.core.reset()
        elif operation == WAIT:
            if not self.core.irq and size:
                return None, OK
            data = self.core.get("STATUS").to_bytes(4, "little")
        return (data, OK) if again else self._done(request, data)

    def _done(self, request: _Request, data: bytes) -> tuple[bytes, int]:
        """It ended well; one that was expected counts."""
        if request.sequence == self.expected:
            self.expected, self.known = (self.expected + 1) % 256, self.known + 1
            self.only_reads = self.only_reads + 1 if request.operation in READS else 0
        return data, OK

    def _register(self, offset: int) -> bytes:
        try:
            return int(self.core.read_register(offset)).to_bytes(4, "little")
        except KeyError:
            return bytes(4)

    def _set_register(self, offset: int, value: int) -> None:
        try:
            self.core.write_register(offset, value)
        except KeyError:
            pass

    def _answer(self, request: _Request, data: bytes | None, status: int, now: float) -> None:
        if data is None:
            self._waiting = (request, now + request.size / 1000)
            return
        head = struct.pack("<BBH", request.sequence, request.operation | 0x80, self.session)
        body = head + data + bytes((self.expected, status))
        line = bytearray((LAST_FLAG,))
        for byte in body + struct.pack("<I", zlib.crc32(body)):
            line += bytes((0x7D, byte ^ 0x20)) if byte in (0x7D, 0x7E) else bytes((byte,))
        line.append(LAST_FLAG)
        begins = max(now, self._free) + self._seconds(request)
        self._free = begins + len(line) * BYTE_S
        self._held = [until for until in self._held if until > self._heard] + [self._free]
        self.answers.append(Said(begins, bytes(line)))

    def _seconds(self, request: _Request) -> float:
        """That it takes to execute."""
        cycles = {READ_REGISTERS: 10 * request.size // 4, WRITE_REGISTERS: 10 * request.size // 4}.get(
            request.operation, 60 * request.size // 16 if request.operation != WAIT else 0)
        return cycles / (self.clock_khz * 1000)
