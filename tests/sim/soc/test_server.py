"""The line as a socket: bytes both ways, one client at a time, and no time passes on an idle board."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from models.errors import OptionError
from sim.soc.server import HOST, LineServer


class Echo:
    """A board that sends back, in upper case and a run later, what it is sent; `ran`: how often it was let run."""

    def __init__(self):
        self.heard, self.said, self.delays, self.ran = b"", b"", [], 0

    @property
    def idle(self):
        return not self.heard

    def send(self, data, delay):
        self.heard += data
        self.delays.append(delay)

    def run(self, cycles, *, until_received):
        assert until_received
        self.ran += 1
        self.said, self.heard = self.said + self.heard.upper(), b""
        return cycles

    def receive(self):
        said, self.said = self.said, b""
        return said


@pytest.fixture
def served():
    server, ends = LineServer(Echo(), turnaround=7), threading.Event()
    thread = threading.Thread(target=server.serve, args=[ends.is_set])
    thread.start()
    yield server
    ends.set()
    thread.join()
    server.close()


def asked(client, data):
    client.sendall(data)
    return client.recv(100)


def connected(server):
    client = socket.create_connection((HOST, server.port))
    client.settimeout(20)
    return client


def test_bytes_go_both_ways(served):
    with connected(served) as client:
        assert asked(client, b"abc") == b"ABC" and asked(client, b"d") == b"D"
    assert set(served.board.delays) == {7}


def test_an_idle_board_is_not_run(served):
    with connected(served) as client:
        asked(client, b"x")
        ran = served.board.ran
        time.sleep(0.3)
        assert served.board.ran == ran


def test_one_client_at_a_time(served):
    with connected(served) as first:
        assert asked(first, b"a") == b"A"
        with connected(served) as second:
            assert second.recv(1) == b""  # turned away
        assert asked(first, b"b") == b"B"
        first.shutdown(socket.SHUT_WR)
        assert first.recv(1) == b""
    with connected(served) as third:
        assert asked(third, b"c") == b"C"


def test_a_port_that_is_taken(served):
    with pytest.raises(OptionError, match=f"port {served.port} of 127.0.0.1 cannot be listened at"):
        LineServer(Echo(), served.port)
