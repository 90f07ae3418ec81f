"""The `rtl` device, watched from outside: which engine was at work in which cycle of a run, and the ports' bytes.

The processor's register port reads the engines' counters of busy cycles over and over while a run goes on, about
every 30 cycles. That takes no cycle from the run: nothing inside waits for that port.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.devices.base import Progress
from models.errors import DeviceError
from models.machine.descriptor import Engine
from models.machine.registers import register
from sim.bench.counts import Counts
from sim.rtl_device import RtlDevice

__all__ = ["ProbedDevice", "Timeline"]

PRIORITY = (Engine.LINEAR, Engine.HEAD, Engine.ATTEND, Engine.VECTOR, Engine.LOAD, Engine.FETCH)
"""A cycle in which several engines work counts for the first of them: prefetch and loads hide behind the others."""

_COUNTERS = [register(name).offset for name in (*(f"BUSY_{engine.name}" for engine in Engine), "CYCLES_LOW")]
_CYCLE, _BYTES = len(Engine), len(Engine) + 1  # columns of a sample after the engines'


@dataclass(frozen=True)
class Timeline:
    """Samples of one run, int64 [samples, engines + 2]: busy cycles of each engine, cycles, bytes of all ports."""

    samples: np.ndarray

    @property
    def cycles(self) -> np.ndarray:
        """Cycles so far at each sample."""
        return self.samples[:, _CYCLE]

    @property
    def bytes(self) -> np.ndarray:
        """Bytes so far of all ports at each sample."""
        return self.samples[:, _BYTES]

    def counts(self, start: int = 0, end: int | None = None) -> Counts:
        """What happened from sample `start` to sample `end`, the last one by default."""
        part = self.samples[start:end if end is None else end + 1]
        steps = np.diff(part, axis=0)
        left = steps[:, _CYCLE].copy()
        units = {}
        for engine in PRIORITY:
            taken = np.minimum(steps[:, engine], left)
            left -= taken
            units[engine.name.lower()] = float(taken.sum())
        units["none"] = float(left.sum())
        return Counts(float(steps[:, _CYCLE].sum()), float(steps[:, _BYTES].sum()), units)

    def first(self, engine: Engine) -> int:
        """The last sample before an engine began its first work; the run's last where it never did."""
        busy = np.flatnonzero(self.samples[:, engine])
        return int(max(busy[0] - 1, 0)) if busy.size else len(self.samples) - 1


class ProbedDevice(RtlDevice):
    """As `RtlDevice`; `timeline` is the last run's, `longest` that of the run of the most cycles so far.

    `watch`, if set, is told each run's cycles so far.
    """

    timeline: Timeline
    longest: Timeline | None = None
    watch: Progress | None = None

    def wait(self, progress: Progress | None = None) -> None:
        core, progress = self.core, progress or self.watch
        bytes_before = self._bytes()
        rows = [[0] * (len(_COUNTERS) + 1)]
        while True:
            ended = core.irq
            rows.append([*(core.read_register(offset) for offset in _COUNTERS), self._bytes() - bytes_before])
            if ended:
                break
            if rows[-1][_CYCLE] > self._limit:
                raise DeviceError(f"device rtl: no interrupt within {self._limit} cycles")
            if progress and len(rows) % 256 == 0:
                progress(rows[-1][_CYCLE])
        self.timeline = Timeline(np.array(rows, np.int64))
        if self.longest is None or self.timeline.cycles[-1] > self.longest.cycles[-1]:
            self.longest = self.timeline
        if progress:
            progress(rows[-1][_CYCLE])
        super().wait(progress)  # at its end already: looks for broken AXI rules

    def _bytes(self) -> int:
        return sum(self.core.bytes_read) + sum(self.core.bytes_written)
