# amaranth: UnusedElaboratable=no
"""The walk over heads against the cache's layout: keys and values, tokens alone and together, heads of every size."""

from __future__ import annotations

from dataclasses import replace

from hw.boards.registry import BUILDS
from hw.vector.kv_walk import KVWalk
from models.machine.cache import chunk_bytes, padded_row
from sim.runner import run_bench

ROWS, HEADS, BEATS = 4, 3, 24
ADDRESS, SCALES, HEAD, REGION = 0x99_0000_1000, 0x12_3456_7040, 0x8400, 0x4400


def _run(build, size: int, first: int, count: int, heads: int, *, whole: bool, offset: int, scale_offset: int):
    """count tokens from `first` on, of heads of `size` bytes; whole: their chunks adjoin."""
    ports, chunk = build.ports, chunk_bytes(build.ports)
    stride, region = (padded_row(size, build), chunk) if whole else (chunk, REGION)
    beats = -(-size // 16)
    scales, places = [], []
    for head in range(heads):
        ends = first % 4 + count
        scales.append([[head, n, SCALES + scale_offset + head * HEAD + 16 * n,
                        sum(1 << lane for lane in range(4) if first % 4 <= 4 * n + lane < ends)]
                       for n in range(-(-ends // 4))])
        found, wide = [], beats if whole else chunk // 16
        for start in range(0, beats, wide):  # of a chunk, or of the whole row
            base = ADDRESS + offset + head * HEAD + start // wide * region
            of_chunk = [(base + row * stride + 16 * n, row, start + n)
                        for row in range(count) for n in range(min(wide, beats - start))]
            for port in range(ports):
                found += [[row, head * beats + beat, address, int(beat == beats - 1)]
                          for address, row, beat in of_chunk if (address - base) // 16 % ports == port]
        places.append(found)
    target = {"address": ADDRESS, "address_stride": stride, "block_bytes": 0, "region_bytes": region,
              "scale_address": SCALES, "scale_block_bytes": 0, "head_bytes": HEAD, "heads": heads, "token": first,
              "first": 1, "last": int(count == 1)}
    return {"target": target, "row": count - 1, "offset": offset, "scale_offset": scale_offset, "head_beats": beats,
            "scales": scales, "places": places}


def test_bench():
    build, runs = replace(BUILDS["sim-tiny"], ports=4), []
    for whole in (True, False):
        for size, first, count, heads in ((64, 0, 4, 3), (4, 7, 1, 3), (40, 701, 3, 2), (96, 2, 2, 1), (128, 9, 4, 3),
                                          (16, 15, 1, 1), (32, 5, 4, 2)):
            runs.append(_run(build, size, first, count, heads, whole=whole, offset=first * 0x840,
                             scale_offset=first // 4 * 16))
    run_bench(KVWalk(ports=build.ports, rows=ROWS, heads=HEADS, beats=BEATS), "tests.hw.vector.kv_walk_bench",
              {"beats": BEATS, "runs": runs})
