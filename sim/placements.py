"""The measured placements: four streams' starts modulo 64 KiB on one KV260, and how long the last of them took.

Published by the bitnet-kv260 project (results/sweep-2026-09-26.txt there): an AXI DMA at each of HP0 to HP3 reads
327,680 bytes of a region of its own at 250 MHz, 40 times a placement. HP0's region begins at a multiple of 64 KiB, the
others' so many KiB later. A DMA asks for bursts of 64 beats, here four at a time. The processor starts the DMAs one
after the other, `gap_ns` apart, takes the time behind the last start, and polls until each has counted its last row.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim.ddr_parameters import DDR, DdrParameters
from sim.ddr_streams import PortStream, end_cycles

__all__ = ["MEASUREMENT", "Measurement", "Placements", "halves", "model_times"]

_FILE = Path(__file__).with_name("kv260_placements.csv")
_KIB = 1024
_REGION = 2 << 20
_SIZE = 327_680
_CLOCK_MHZ = 250.0
HALVES_SEED = 2026


@dataclass(frozen=True)
class Measurement:
    """How the board was measured, as far as it is not published; all fitted.

    gap_ns: from one DMA's start to the next. first_ns: from a start to its first address. read_out_ns: what the polled
    time has more than the last beat's, less the first start's.
    """

    gap_ns: float = 450
    first_ns: float = 100
    read_out_ns: float = 200
    bursts: int = 4


MEASUREMENT = Measurement()


@dataclass(frozen=True)
class Placements:
    """offsets: int [n, 3], KiB of HP1 to HP3 behind HP0 modulo 64; microseconds: [n] until the last port was done."""

    offsets: np.ndarray
    microseconds: np.ndarray

    @classmethod
    def measured(cls) -> Placements:
        """All 512, in the order in which they were measured."""
        with open(_FILE, encoding="utf-8", newline="") as file:
            rows = np.array(list(csv.reader(file))[1:], float)
        return cls(rows[:, :3].astype(int), rows[:, 3])

    def chosen(self, which: np.ndarray) -> Placements:
        """Those of an index."""
        return Placements(self.offsets[which], self.microseconds[which])


def halves(count: int, seed: int = HALVES_SEED) -> tuple[np.ndarray, np.ndarray]:
    """Indices of a random half to fit to, and of the half held out."""
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[:count // 2]), np.sort(order[count // 2:])


def model_times(offsets: np.ndarray, parameters: DdrParameters = DDR, measurement: Measurement = MEASUREMENT, *,
                seeds: Sequence[int] = (1, 2, 3, 4)) -> np.ndarray:
    """Microseconds [n, ports] that the model has for placements, taken as on the board, means over the seeds."""
    cycles = _CLOCK_MHZ / 1e3
    runs = [[PortStream(port=port, address=port * _REGION + offset * _KIB, size=_SIZE, burst=_KIB,
                        under_way=measurement.bursts,
                        start=round((measurement.first_ns + port * measurement.gap_ns) * cycles))
             for port, offset in enumerate((0, *map(int, placement)))] for placement in offsets]
    ends = end_cycles(runs, parameters, clock_mhz=_CLOCK_MHZ, seeds=seeds)
    last_start = 3 * measurement.gap_ns - measurement.read_out_ns
    return ends.mean(1) / _CLOCK_MHZ - last_start / 1e3
