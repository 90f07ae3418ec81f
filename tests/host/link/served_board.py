"""A modelled board behind a socket, in a thread and in real time, as pyserial's socket:// reaches it."""

from __future__ import annotations

import select
import socket
import threading
import time

from tests.host.link.board_model import BoardModel

__all__ = ["ServedBoard"]

_SLICE_S = 0.002


class ServedBoard:
    """`url` is the board's port. One host at a time; when it closes, the board stays for the next one."""

    def __init__(self, board: BoardModel):
        self.board = board
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listening.getsockname()[1]}"
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ends.is_set():
            if not select.select([self._listening], [], [], 0.05)[0]:
                continue
            host, _ = self._listening.accept()
            with host:
                host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._talk(host)

    def _talk(self, host: socket.socket) -> None:
        """The line itself takes no time here: an answer goes as soon as there is one."""
        while not self._ends.is_set():
            now = max(time.monotonic(), self.board.now)
            if select.select([host], [], [], _SLICE_S)[0]:
                try:
                    data = host.recv(1 << 16)
                except ConnectionError:
                    return
                if not data:
                    return
                self.board.hear(data, now)
            self.board.pass_time(now)
            said = b"".join(answer.data for answer in self.board.answers)
            self.board.answers.clear()
            if said:
                host.sendall(said)

    def close(self) -> None:
        self._ends.set()
        self._thread.join()
        self._listening.close()
