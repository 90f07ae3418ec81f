"""Streams that ports read before the DDR model, without a core: a run of 90 us takes 10 ms."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from models.cache import cached, digest
from sim.ddr_parameters import DDR, SIXTEENTHS, DdrParameters
from sim.verilated_core import HARNESS

__all__ = ["PortStream", "end_cycles", "streams_program"]

_FLAGS = ("-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror")


@dataclass(frozen=True, kw_only=True)
class PortStream:
    """What a port reads: `size` bytes in pieces of `piece` bytes, the next one `stride` from the last.

    The defaults are one contiguous stream in the fabric's bursts, eight under way. start: in cycles. Sizes and
    addresses are multiples of a burst.
    """

    port: int
    address: int
    size: int
    piece: int = 1 << 30
    stride: int = 1 << 30
    burst: int = 256
    under_way: int = 8
    start: int = 0


@cache
def streams_program() -> Path:
    """The program of `sim/verilated/streams.cpp`, compiled once."""
    sources = [HARNESS / "streams.cpp", *sorted(HARNESS.glob("*.h"))]
    key = digest(tuple(path.read_text(encoding="utf-8") for path in sources), _FLAGS)

    def build(folder: Path) -> None:
        subprocess.run(["g++", *_FLAGS, f"-I{HARNESS}", str(sources[0]), "-o", str(folder / "streams")], check=True)

    return cached("streams", key, build) / "streams"


def end_cycles(runs: Sequence[Sequence[PortStream]], parameters: DdrParameters = DDR, *, clock_mhz: float = 250.0,
               seeds: Sequence[int] = (1,)) -> np.ndarray:
    """int [runs, seeds, ports]: the cycle after each port's last beat. All runs have as many ports.

    A seed says when the first refresh is due, and moves nothing else.
    """
    cycle_time = round(SIXTEENTHS * 1e3 / clock_mhz)
    lines = [" ".join(map(str, parameters.to_model()))]
    for streams in runs:
        asked = " ".join(f"{s.port} {s.start} {s.address} {s.size} {s.piece} {s.stride} {s.burst} {s.under_way}"
                         for s in streams)
        lines += [f"{seed} {cycle_time} {len(streams)} {asked}" for seed in seeds]
    result = subprocess.run([streams_program()], input="\n".join(lines), capture_output=True, text=True, check=True)
    ends = np.array([line.split() for line in result.stdout.splitlines()], int)[:, :-1]
    return ends.reshape(len(runs), len(seeds), -1)
