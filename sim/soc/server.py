"""The simulated board's serial line as a TCP socket, which pyserial opens as `socket://127.0.0.1:PORT`."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from models.errors import OptionError
from sim.soc.verilated_board import VerilatedBoard

__all__ = ["HOST", "LineServer"]

HOST = "127.0.0.1"
CHUNK = 4000  # cycles between two looks at the socket
_ROOM = 1 << 16
_IDLE_S = 0.2  # between two looks at whether the server is to end


class LineServer:
    """Carries bytes between a board and one client at a time; others are turned away while there is one.

    Time passes on the board only while something is to do. turnaround: cycles that pass between the board's last byte
    and the next that a client sends, as its USB would take. port: 0 for any that is free; `port` says which.
    `OptionError` where it is taken.
    """

    def __init__(self, board: VerilatedBoard, port: int = 0, *, turnaround: int = 0) -> None:
        self.board, self._turnaround = board, turnaround
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind((HOST, port))
        except (OSError, OverflowError) as error:
            self._listener.close()
            raise OptionError(f"port {port} of {HOST} cannot be listened at: {error}") from None
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self._client: socket.socket | None = None
        self.seconds = 0.0
        """In which the board was simulated."""

    def close(self) -> None:
        """Turn everybody away."""
        self._drop()
        self._listener.close()

    def serve(self, until: Callable[[], bool] = lambda: False) -> None:
        """Serve until `until` says so, asked several times a second, or Ctrl-C."""
        while not until():
            self._look(0.0 if self._busy else _IDLE_S)
            if self._busy:
                begun = time.perf_counter()
                self.board.run(CHUNK, until_received=True)
                self.seconds += time.perf_counter() - begun
                self._deliver()

    @property
    def _busy(self) -> bool:
        return not self.board.idle

    def _look(self, seconds: float) -> None:
        """Take what has come on the sockets, waiting so long for it."""
        sockets = [self._listener, *([self._client] if self._client else [])]
        for ready in select.select(sockets, [], [], seconds)[0]:
            if ready is self._listener:
                self._accept()
            elif ready is self._client:
                self._take()

    def _accept(self) -> None:
        client = self._listener.accept()[0]
        if self._client is not None:
            client.close()
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.board.receive()  # what nobody was there to hear
        self._client = client

    def _take(self) -> None:
        assert self._client is not None
        try:
            data = self._client.recv(_ROOM)
        except OSError:
            data = b""
        if data:
            self.board.send(data, self._turnaround)
        else:
            self._drop()

    def _deliver(self) -> None:
        data = self.board.receive()
        if data and self._client is not None:
            try:
                self._client.sendall(data)
            except OSError:
                self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
