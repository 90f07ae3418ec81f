"""The simulated board's serial line in the host's own process: what `host.link` calls a transport, in simulated time."""

from __future__ import annotations

import time

from sim.soc.verilated_board import VerilatedBoard

__all__ = ["SimulatedTransport"]


class SimulatedTransport:
    """As `host.link.transport.Transport`, for a board that is there already. The seconds that a read may wait are the
    board's, not the wall's: time passes only while the host waits. turnaround: as `sim.soc.server` has it.
    """

    def __init__(self, board: VerilatedBoard, *, turnaround: int = 0) -> None:
        self.name, self.board, self._turnaround = "the simulated board", board, turnaround
        self.written = self.received = 0
        self.is_open = True

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.board.send(data, self._turnaround)
        self.written += len(data)

    def read(self, until: float) -> bytes:
        """What has come, as soon as something has; empty where nothing comes in the time to `until`, or ever."""
        data = self.board.receive()
        if not data:
            seconds = max(0.0, until - time.monotonic())
            self.board.run(round(seconds * self.board.clock_hz), until_received=True)
            data = self.board.receive()
        self.received += len(data)
        return data

    def drop_received(self) -> None:
        """Forget what has come and was not read."""
        self.board.receive()

    def reopen(self) -> None:
        """Nothing: it does not go away."""

    def close(self) -> None:
        """Leave the line."""
        self.is_open = False
