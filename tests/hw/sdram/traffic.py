"""Random bursts of an AXI master on an SDRAM, and what they must leave and read, burst by burst."""

from __future__ import annotations

import numpy as np

from sim.sdram.bench import BURST, MasterList

__all__ = ["DECERR", "expect", "random_list"]

DECERR = 3
SIZE = 32 << 20
BLOCK = 256


def random_list(rng: np.random.Generator, count: int, *, first: int, step: int, wrong: float = 0.05) -> MasterList:
    """Reads and writes of 1 to 16 beats in the blocks `first`, `first` + `step` and so on, near one another and far;
    some of them such as are refused."""
    bursts = np.zeros(count, BURST)
    bursts["write"] = rng.integers(0, 2, count)
    near = first + step * rng.integers(0, 64, count)
    far = first + step * rng.integers(0, SIZE // BLOCK // step, count)
    blocks = np.where(rng.random(count) < 0.7, near, far)
    start = np.where(rng.random(count) < 0.3, 0, rng.integers(0, 16, count))
    bursts["address"] = blocks * BLOCK + start * 16
    bursts["beats"] = np.where(rng.random(count) < 0.3, 16 - start, rng.integers(1, 17 - start, count))
    bursts["size"], bursts["kind"], bursts["id"] = 4, 1, rng.integers(0, 16, count)
    for index in np.flatnonzero(rng.random(count) < wrong):
        burst = bursts[index]
        name, value = [
            ("address", burst["address"] + (SIZE << int(rng.integers(0, 14)))),
            ("beats", 17 - burst["address"] % BLOCK // 16), ("beats", rng.integers(17, 257)),
            ("size", rng.integers(0, 4)), ("kind", rng.choice([0, 2])),
        ][rng.integers(0, 5)]
        burst[name] = value
    bursts["data"] = np.cumsum(bursts["beats"]) - bursts["beats"]
    beats = int(bursts["beats"].sum())
    strobes = np.where(rng.random(beats) < 0.5, 0xFFFF, rng.integers(0, 1 << 16, beats)).astype(np.uint16)
    data = rng.integers(0, 256, (beats, 16), dtype=np.uint8)
    return MasterList(bursts, data, strobes)


def expect(given: MasterList, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`memory` is brought to what the bursts leave in it, one by one; the data of all, and their responses.

    Data of refused reads are those given: of no meaning.
    """
    data, responses = given.data.copy(), np.zeros(len(given.bursts), np.uint64)
    for index, burst in enumerate(given.bursts):
        address, beats, first = int(burst["address"]), int(burst["beats"]), int(burst["data"])
        served = burst["size"] == 4 and burst["kind"] == 1 and address < SIZE and address % BLOCK + 16 * beats <= BLOCK
        rows = slice(first, first + beats)
        if not served:
            responses[index] = DECERR
        elif burst["write"]:
            for beat in range(first, first + beats):
                bytes_ = np.flatnonzero(int(given.strobes[beat]) >> np.arange(16) & 1)
                memory[address + 16 * (beat - first) + bytes_] = data[beat, bytes_]
        else:
            data[rows] = memory[address:address + 16 * beats].reshape(-1, 16)
    return data, responses
