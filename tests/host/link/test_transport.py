"""Ports: found by the board's USB ids, opened, and lost, each with a line that says what to do."""

from __future__ import annotations

import errno
import socket
import warnings
from types import SimpleNamespace

import pytest
import serial

from host.link import transport
from host.link.client import Client
from host.link.failures import PortError
from host.link.transport import FTDI_FT231X, Transport, found_port
from models.machine.link import BAUD
from tests.host.link.opened import new_board
from tests.host.link.served_board import ServedBoard


def connected(monkeypatch, *ports):
    found = [SimpleNamespace(device=device, vid=ids[0], pid=ids[1]) for device, ids in ports]
    monkeypatch.setattr(transport, "comports", lambda: found)


def test_the_one_board_is_found(monkeypatch):
    connected(monkeypatch, ("/dev/ttyS0", (None, None)), ("/dev/ttyUSB3", FTDI_FT231X))
    assert found_port() == "/dev/ttyUSB3"


@pytest.mark.parametrize("ports, line", [
    ([], r"no board is connected: .* 0403:6015; plug in its port US1, or name a port with --serial-port$"),
    ([("/dev/ttyS0", (None, None))], r"name a port with --serial-port \(there are /dev/ttyS0\)$"),
    ([("/dev/ttyUSB1", FTDI_FT231X), ("/dev/ttyUSB0", FTDI_FT231X)],
     "2 boards are connected: choose one with --serial-port, of /dev/ttyUSB0, /dev/ttyUSB1"),
])
def test_none_and_several_are_told(monkeypatch, ports, line):
    connected(monkeypatch, *ports)
    with pytest.raises(PortError, match=line):
        found_port()


@pytest.mark.parametrize("number, line", [
    (errno.EACCES, "permission denied; are you in the group dialout"),
    (errno.EAGAIN, "another program uses it"),
    (errno.ENOENT, "there is no such port"),
])
def test_what_keeps_a_port_closed_is_told(monkeypatch, number, line):
    def refuse(*arguments, **settings):
        raise serial.SerialException(number, "could not open port")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(PortError, match=f"cannot open /dev/ttyUSB0: {line}"):
        Transport("/dev/ttyUSB0")


@pytest.mark.parametrize("url", ["/dev/none", "socket://127.0.0.1:1", "socket://nowhere", "carrier-pigeon://"])
def test_a_name_that_is_none_is_one_line(url):
    with pytest.raises(PortError, match=f"^cannot open {url}: [^\n]+$"):
        Transport(url)


class Port:
    """What pyserial opens."""

    in_waiting, is_open = 0, True

    def __init__(self, *, slow):
        self.slow, self.low_latency = slow, False

    def set_low_latency_mode(self, on):
        if self.slow:
            raise ValueError("not a chip that can")
        self.low_latency = on


@pytest.mark.parametrize("slow", [False, True])
def test_the_usb_chip_is_told_to_answer_at_once(monkeypatch, slow):
    port, settings = Port(slow=slow), {}

    def opens(name, **given):
        settings.update(given)
        return port

    monkeypatch.setattr(serial, "serial_for_url", opens)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        Transport("/dev/ttyUSB0")
    assert settings["baudrate"] == BAUD and settings["exclusive"]
    assert port.low_latency is not slow
    assert [str(one.message) for one in told] == slow * [
        "/dev/ttyUSB0 may keep each answer for 16 ms: set its latency timer to 1 ms (docs/link.md)"]


def test_loop_carries_bytes():
    line = Transport("loop://")
    line.write(b"hello")
    found = b""
    while len(found) < 5:
        found += line.read(line.now() + 5)
    assert found == b"hello" and line.written == line.received == 5
    assert line.read(line.now()) == b""
    line.close()


def test_a_board_behind_a_socket_answers_and_one_that_goes_is_told():
    served = ServedBoard(new_board())
    line = Transport(served.url)
    client = Client(line)
    client.write_memory(0, bytes(range(256)) * 16)
    assert client.read_memory(0, 4096) == bytes(range(256)) * 16
    served.close()
    with pytest.raises(PortError, match=r"^socket://127.0.0.1:\d+ is gone: [^\n]+$"):
        for _ in range(3):
            client.read_memory(0, 4096)
    assert not line.is_open
    with pytest.raises(PortError, match="cannot open"):
        client.greet()
    with socket.create_server(("127.0.0.1", 0)):
        pass
