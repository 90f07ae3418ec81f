"""The simulated board's serial line in the host's own process: a transport of `host.link`, in simulated time."""

from __future__ import annotations

from host.link.transport import Transport
from sim.soc.verilated_board import VerilatedBoard

__all__ = ["SimulatedTransport"]


class SimulatedTransport(Transport):
    """A transport without a port, to a board that is there already; that stays when this is closed.

    All times are the board's: time passes only while the host waits for it, and where nothing is to do on the board it
    passes without a cycle. turnaround: seconds from the board's last byte to the first that the host sends then.
    written, received: bytes so far.
    """

    def __init__(self, board: VerilatedBoard, *, turnaround: float = 0.0) -> None:
        self.name, self.board = "the simulated board", board
        self.written = self.received = 0
        self._open = True
        self._turnaround = round(turnaround * board.clock_hz)
        self._skipped = 0  # cycles in which nothing was to do

    def now(self) -> float:
        """A time in seconds."""
        return (self._skipped + self.board.counters().cycles) / self.board.clock_hz

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.board.send(data, self._turnaround)
        self.written += len(data)

    def read(self, until: float) -> bytes:
        """What has come, as soon as something has; empty once `now` is `until`."""
        data = self.board.receive()
        if not data:
            self._pass(until - self.now(), until_received=True)
            data = self.board.receive()
        self.received += len(data)
        return data

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self._pass(seconds, until_received=False)

    def _pass(self, seconds: float, *, until_received: bool) -> None:
        cycles = max(0, round(seconds * self.board.clock_hz))
        cycles -= self.board.run(cycles, until_received=until_received)
        if self.board.idle:
            self._skipped += cycles

    def drop_received(self) -> None:
        """Forget what has come and was not read."""
        self.board.receive()

    @property
    def is_open(self) -> bool:
        """Whether it was not closed."""
        return self._open

    def reopen(self) -> None:
        """Open it again."""
        self._open = True

    def close(self) -> None:
        """Leave the line."""
        self._open = False
