"""Energy over a time: a power sensor read again and again, and its readings added up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from host.board.sensors import Sensor

__all__ = ["EnergyMeter"]

EVERY_S = 0.05  # an INA260 as the kernel sets it up averages over 4 x 1.1 ms


class EnergyMeter:
    """Joules since it was started, by the trapezoidal rule; None without a sensor. Reads in a thread of its own.

    `with EnergyMeter(sensor) as meter`, or `start` and `stop`. clock: seconds.
    """

    def __init__(self, sensor: Sensor | None, *, clock: Callable[[], float] = time.monotonic):
        self._sensor, self._clock = sensor, clock
        self._joules, self._last = 0.0, (0.0, 0.0)
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None
        self._begun = False

    @property
    def watts(self) -> float | None:
        """Power now."""
        return self._sensor.read() if self._sensor else None

    @property
    def joules(self) -> float | None:
        """Energy up to now; None where there is no sensor, or it has not answered yet."""
        self._read()
        return self._joules if self._begun else None

    def start(self) -> EnergyMeter:
        """Begin to add up."""
        if self._sensor and self._thread is None:
            self._read()
            self._thread = threading.Thread(target=self._run, name="energy", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Read no more."""
        self._ended.set()
        if self._thread:
            self._thread.join()

    __enter__ = start

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._ended.wait(EVERY_S):
            self._read()

    def _read(self) -> None:
        watts = self.watts
        if watts is None:
            return
        with self._lock:
            now, (then, before) = self._clock(), self._last
            if self._begun:
                self._joules += (watts + before) / 2 * (now - then)
            self._begun, self._last = True, (now, watts)
