"""The `rtl` device, watched from outside: which engine works in which cycle of a run, and the ports' bytes.

The simulator notes each change of what is at work (`VerilatedCore.watch`). That takes no cycle from the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.devices.base import Progress
from models.machine.descriptor import DESCRIPTOR_BYTES, Engine
from sim.bench.counts import Counts
from sim.rtl_device import BASE, RtlDevice

__all__ = ["PRIORITY", "ProbedDevice", "Timeline"]

PRIORITY = (Engine.LINEAR, Engine.HEAD, Engine.ATTEND, Engine.VECTOR, Engine.LOAD, Engine.FETCH)
"""A cycle in which several engines work counts for the first of them: prefetch and loads hide behind the others."""

_INTERVAL = 64  # cycles between two samples at most
_CYCLE, _BYTES = len(Engine), len(Engine) + 1  # columns of a sample after the engines'
_RUN = 1 << len(Engine)  # of a record: a run is under way


@dataclass(frozen=True)
class Timeline:
    """Samples of one run, int64 [samples, engines + 2]: busy cycles of each engine, cycles, bytes of all ports.

    Engines do not change what they do between two samples: each cycle counts once and exactly. traffic: int64
    [samples, ports, 2], bytes that each port has read and written. clock: the cycle of the simulation that the first
    sample begins with. program: the run's descriptors as they lay in memory.
    """

    samples: np.ndarray
    traffic: np.ndarray | None = None
    clock: int = 0
    program: bytes = b""

    @classmethod
    def of(cls, records: np.ndarray, program: bytes) -> Timeline:
        """From `VerilatedCore.activity` around one run."""
        records = records.astype(np.int64)
        running = np.flatnonzero(records[:, 1] & _RUN)
        records = records[running[0]:running[-1] + 2]
        steps = np.diff(records[:, 0])
        busy = (records[:-1, 1, None] >> np.arange(len(Engine)) & 1) * steps[:, None]
        traffic = records[:, 2:].reshape(len(records), 2, -1).swapaxes(1, 2)
        traffic = traffic - traffic[0]
        samples = np.zeros((len(records), len(Engine) + 2), np.int64)
        samples[1:, :len(Engine)] = busy.cumsum(axis=0)
        samples[:, _CYCLE] = records[:, 0] - records[0, 0]
        samples[:, _BYTES] = traffic.sum(axis=(1, 2))
        return cls(samples, traffic, int(records[0, 0]), program)

    @property
    def cycles(self) -> np.ndarray:
        """Cycles so far at each sample."""
        return self.samples[:, _CYCLE]

    @property
    def bytes(self) -> np.ndarray:
        """Bytes so far of all ports at each sample."""
        return self.samples[:, _BYTES]

    @property
    def busy(self) -> dict[str, int]:
        """Cycles of the run in which each engine worked, by its name: as its BUSY register has them."""
        return {engine.name.lower(): int(self.samples[-1, engine]) for engine in Engine}

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

    def spans(self, engine: Engine) -> list[tuple[int, int]]:
        """First cycle and end of each stretch of an engine's work: of a descriptor each, in their order."""
        return _stretches(self.cycles, np.diff(self.samples[:, engine]) > 0)

    def at_work(self) -> list[tuple[str, int, int]]:
        """The run by the unit that its cycles count for, as `counts` adds them up: name, first cycle, end."""
        steps = np.diff(self.samples[:, :len(Engine)], axis=0) > 0
        chosen = np.full(len(steps), len(PRIORITY))
        for rank, engine in reversed(list(enumerate(PRIORITY))):
            chosen[steps[:, engine]] = rank
        names = (*(engine.name.lower() for engine in PRIORITY), "none")
        found = [(name, *span) for rank, name in enumerate(names)
                 for span in _stretches(self.cycles, chosen == rank)]
        return sorted(found, key=lambda item: item[1])


def _stretches(cycles: np.ndarray, working: np.ndarray) -> list[tuple[int, int]]:
    """From where to where adjacent steps work."""
    edges = np.diff(np.concatenate([[False], working, [False]]).astype(np.int8))
    starts, ends = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
    return [(int(cycles[start]), int(cycles[end])) for start, end in zip(starts, ends, strict=True)]


class ProbedDevice(RtlDevice):
    """As `RtlDevice`; `timeline` is the last run's, `longest` that of the run of the most cycles so far.

    `watch`, if set, is told each run's cycles so far.
    """

    timeline: Timeline
    longest: Timeline | None = None
    watch: Progress | None = None

    def run(self, address: int, count: int, *positions: int, progress: Progress | None = None) -> int:
        start = address - BASE
        self._program = self.core.memory[start:start + count * DESCRIPTOR_BYTES].tobytes()
        self.stop()  # what would come before the run in the records
        self.core.watch(_INTERVAL)
        return super().run(address, count, *positions, progress=progress)

    def wait(self, progress: Progress | None = None) -> None:
        super().wait(progress or self.watch)
        self.core.run(1)  # the cycle behind the run, for the record that ends it
        self.timeline = Timeline.of(self.core.activity(), self._program)
        self.core.watch(0)
        if self.longest is None or self.timeline.cycles[-1] > self.longest.cycles[-1]:
            self.longest = self.timeline
