"""Write beats as they must leave, from what is written where."""

from __future__ import annotations

from itertools import pairwise

from models.machine.build import BURST_BEATS

__all__ = ["write_bursts"]


def write_bursts(beats: list[tuple[int, int, int]]) -> list[tuple[dict[str, int], dict[str, int]]]:
    """WRITE_BEATs of beats {address, data, strobe} in their order, each with the mask of what it defines.

    What lies side by side in a 256-byte block goes in one burst.
    """
    ends = [n for n, (before, after) in enumerate(pairwise(beats), start=1)
            if after[0] != before[0] + 16 or after[0] % (16 * BURST_BEATS) == 0]
    found = []
    for low, high in pairwise([0, *ends, len(beats)]):
        for n, (address, data, strobe) in enumerate(beats[low:high], start=low):
            mask = sum(255 << 8 * byte for byte in range(16) if strobe >> byte & 1)
            found.append(({"address": address, "data": data, "strobe": strobe, "left": high - 1 - n},
                          {"address": 0 if n > low else (1 << 40) - 1, "data": mask, "strobe": 0xFFFF, "left": 15}))
    return found
