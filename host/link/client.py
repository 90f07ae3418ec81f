"""What a board can be asked for over its link: registers, memory, the end of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from host.link.request import Request
from host.link.session import LinkSession
from models.machine.link import MOST_DATA, Operation

__all__ = ["SLOW_BYTES_S", "Client"]

SLOW_BYTES_S = 4e6
"""At which the board checks and fills its memory, at least."""


class Client(LinkSession):
    """A session's requests. Sizes and addresses of memory are multiples of 16, of registers multiples of 4.

    What writes is on its way when the call returns, in order with what comes behind it; where the board refuses it,
    that is raised there or by a later call.
    """

    def read_registers(self, offset: int, count: int) -> list[int]:
        """Values of `count` registers from a byte offset on."""
        data = self.fetch([Request(Operation.READ_REGISTERS, offset, 4 * count)])[0]
        return [int.from_bytes(data[n:n + 4], "little") for n in range(0, len(data), 4)]

    def write_registers(self, offset: int, values: Iterable[int]) -> None:
        """Write registers from a byte offset on, in that order."""
        data = b"".join(value.to_bytes(4, "little") for value in values)
        self.send(Request(Operation.WRITE_REGISTERS, offset, len(data), data))

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of memory."""
        return b"".join(self.fetch([Request(Operation.READ_MEMORY, address + first, min(MOST_DATA, size - first))
                                    for first in range(0, size, MOST_DATA)]))

    def write_memory(self, address: int, data: bytes, on_bytes: Callable[[int], object] | None = None) -> None:
        """Write memory. on_bytes: told of bytes that were sent."""
        for first in range(0, len(data), MOST_DATA):
            part = data[first:first + MOST_DATA]
            self.send(Request(Operation.WRITE_MEMORY, address + first, len(part), part))
            if on_bytes:
                on_bytes(len(part))

    def fill_memory(self, address: int, size: int, pattern: bytes = bytes(16)) -> None:
        """Repeat 16 bytes over memory."""
        self.send(Request(Operation.FILL_MEMORY, address, size, pattern, takes_s=size / SLOW_BYTES_S))

    def check_memory(self, address: int, size: int) -> int:
        """The CRC-32 of memory."""
        request = Request(Operation.CHECK_MEMORY, address, size, takes_s=size / SLOW_BYTES_S)
        return int.from_bytes(self.fetch([request])[0], "little")

    def wait(self, milliseconds: int) -> int:
        """Until the interrupt is high, or so long; the register STATUS."""
        request = Request(Operation.WAIT, size=milliseconds, takes_s=milliseconds / 1e3)
        return int.from_bytes(self.fetch([request])[0], "little")

    def reset_core(self) -> None:
        """Reset the accelerator; memory and the session stay."""
        self.send(Request(Operation.RESET))
        self.settle()

    def close(self) -> None:
        """Give the port back."""
        self.transport.close()
