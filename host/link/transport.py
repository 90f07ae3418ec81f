"""The serial port: found, opened, read and written. pyserial's URLs work too: socket://host:port, loop://."""

from __future__ import annotations

import time
import warnings

import serial
from serial.tools.list_ports import comports

from host.link.failures import PortError
from models.machine.link import BAUD

__all__ = ["FTDI_FT231X", "Transport", "found_port"]

FTDI_FT231X = (0x0403, 0x6015)
"""Vendor and product of the USB chip on a ULX3S."""
_SLICE_S = 0.01  # a read returns after so long without bytes
_WRITE_S = 5.0
_ALLOWED = "are you in the group dialout (sudo usermod -aG dialout $USER, then log in anew)?"


def found_port() -> str:
    """The port of the one board that is connected; `PortError` where there is none or more than one."""
    ports = list(comports())
    boards = sorted(port.device for port in ports if (port.vid, port.pid) == FTDI_FT231X)
    if len(boards) == 1:
        return boards[0]
    if boards:
        raise PortError(f"{len(boards)} boards are connected: choose one with --serial-port, of {', '.join(boards)}")
    others = ", ".join(sorted(port.device for port in ports))
    raise PortError("no board is connected: no serial port has the USB ids 0403:6015; plug in its port US1, or name a "
                    f"port with --serial-port{f' (there are {others})' if others else ''}")


class Transport:
    """An open port. `PortError` where it cannot be opened, and from any call once it is gone.

    written, received: bytes so far.
    """

    def __init__(self, name: str | None = None):
        """name: a device, a URL, or None for the one that is found."""
        self.name = name or found_port()
        self.written = self.received = 0
        self._port = self._opened()

    def _opened(self) -> serial.SerialBase:
        try:
            port = serial.serial_for_url(self.name, baudrate=BAUD, timeout=_SLICE_S, write_timeout=_WRITE_S,
                                         exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise PortError(f"cannot open {self.name}: {_reason(error)}") from None
        self._answer_at_once(port)
        return port

    def _answer_at_once(self, port: serial.SerialBase) -> None:
        """The FTDI chip keeps short answers for 16 ms, unless the driver is told not to."""
        if not hasattr(port, "set_low_latency_mode"):
            return  # a URL
        try:
            port.set_low_latency_mode(True)
        except (ValueError, NotImplementedError, OSError):
            warnings.warn(f"{self.name} may keep each answer for 16 ms: set its latency timer to 1 ms (docs/link.md)",
                          RuntimeWarning, stacklevel=4)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        try:
            self._port.write(data)
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from None
        self.written += len(data)

    def read(self, until: float) -> bytes:
        """What has come, as soon as something has; empty once `now` passes `until`."""
        try:
            while not (first := self._port.read(1)):
                if self.now() >= until:
                    return b""
            data = bytearray(first)
            while waiting := self._port.in_waiting:
                data += self._port.read(waiting)
        except (serial.SerialException, OSError, TypeError) as error:  # TypeError: closed while it reads
            raise self._gone(error) from None
        self.received += len(data)
        return bytes(data)

    def drop_received(self) -> None:
        """Forget what has come and was not read."""
        try:
            self._port.reset_input_buffer()
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from None

    def now(self) -> float:
        """A time in seconds."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    @property
    def is_open(self) -> bool:
        """Whether it was not closed, and did not go away."""
        return self._port.is_open

    def reopen(self) -> None:
        """Open it again where it went away."""
        if not self.is_open:
            self._port = self._opened()

    def close(self) -> None:
        """Give the port back."""
        self._port.close()

    def _gone(self, error: BaseException) -> PortError:
        self._port.close()
        return PortError(f"{self.name} is gone: {_reason(error)}")


def _reason(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    if number == 13:
        return f"permission denied; {_ALLOWED}"
    if number == 11:
        return "another program uses it"
    if number == 2:
        return "there is no such port"
    return str(error).partition("\n")[0] or type(error).__name__
