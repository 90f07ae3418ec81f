# amaranth: UnusedElaboratable=no
"""KVWriter lays heads out as the cache is defined, byte for byte, and what lies side by side goes in one burst."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw.arith.scalar import SCALAR
from hw.boards.registry import BUILDS
from hw.memory.shapes import WRITE_BEAT
from hw.vector.kv_walk import KV_TARGET
from hw.vector.kv_writer import KVWriter
from hw.vector.norm_quant import quantised_word
from models.golden.scalar import to_word
from models.machine.cache import BLOCK_TOKENS, chunk_bytes, padded_row, physical
from models.machine.kv_format import kv_format
from sim.packing import Packing
from sim.runner import run_bench
from tests.hw.arith.scalars import as_fields, random_scalars
from tests.hw.vector.bursts import write_bursts
from tests.hw.vector.shared_units import WithSharedUnits

HEADS = 3
REGION, HEAD, BLOCK, SCALE_BLOCK = 0x4400, 0x8400, 0x840, 0x480
ADDRESS, SCALES = 0x99_0000_1000, 0x12_3456_7040


def _beats(address: int, content: bytes, build) -> list[tuple[int, int, int]]:
    """Address, data and strobe of the beats that `content` takes at a logical address."""
    found = []
    for start in range(address & ~15, address + len(content), 16):
        held = range(max(start, address), min(start + 16, address + len(content)))
        found.append((physical(start, build), sum(content[byte - address] << 8 * (byte - start) for byte in held),
                      sum(1 << (byte - start) for byte in held)))
    return found


def _run(first: int, rows: list[list[bytes]], scales: list[list[bytes]], stride: int, region: int, build):
    """All writes of a run of tokens. rows, scales: by token, then head."""
    block, within = divmod(first, BLOCK_TOKENS)
    chunk = chunk_bytes(build.ports)
    writes = []
    for head in range(HEADS):
        base = ADDRESS + block * BLOCK + within * stride + head * HEAD
        words = b"".join(of_row[head] for of_row in scales)
        for beat in _beats(SCALES + block * SCALE_BLOCK + within * 4 + head * HEAD, words, build):
            writes += write_bursts([beat])
        size = len(rows[0][head])
        wide = size if region == chunk else chunk
        for start in range(0, size, wide):
            places = [(row * stride + n, of_row[head][start + n:min(start + n + 16, start + wide)])
                      for row, of_row in enumerate(rows) for n in range(0, min(wide, size - start), 16)]
            for port in range(build.ports):
                beats = [beat for place, content in places if place // 16 % build.ports == port
                         for beat in _beats(base + start // chunk * region + place, content, build)]
                writes += write_bursts(beats)
    return writes


def _case(kv_bits: int, dim: int, ports: int, rows: int, lanes: int, whole: bool) -> dict[str, list[int]]:
    """Runs of tokens, and their writes with masks, by port and packed. whole: a row's chunks adjoin, as a key's do."""
    build = replace(BUILDS["sim-tiny"], ports=ports)
    rng = np.random.default_rng([kv_bits, dim])
    kv = kv_format(kv_bits)
    limit, size = kv.limit, kv.bytes_of(dim)
    runs = [(703, 1), (704, rows), (704 + rows, max(rows - 1, 1)), (717 if rows < 4 else 712, min(rows, 3)), (3, 1)]
    stride, region = (padded_row(size, build), chunk_bytes(ports)) if whole else (chunk_bytes(ports), REGION)
    target = {"address": ADDRESS, "address_stride": stride, "block_bytes": BLOCK, "region_bytes": region,
              "scale_address": SCALES, "scale_block_bytes": SCALE_BLOCK, "head_bytes": HEAD, "heads": HEADS}
    starts, values, given_scales, writes = [], [], [], []
    for first, count in runs:
        q = rng.integers(-limit, limit + 1, (count, HEADS, dim))
        scales = random_scalars(rng, count * HEADS, -160, 160)
        starts += [{**target, "token": first + n, "first": n == 0, "last": n == count - 1} for n in range(count)]
        values += [{"values": head[n:n + lanes], "last": n + lanes == dim}
                   for head in q.reshape(-1, dim) for n in range(0, dim, lanes)]
        given_scales += [as_fields(scales[n]) for n in range(count * HEADS)]
        words = [int(to_word(scales[n])).to_bytes(4, "little") for n in range(count * HEADS)]
        writes += _run(first, [[kv.stored(head).tobytes() for head in row] for row in q],
                       [words[n:n + HEADS] for n in range(0, len(words), HEADS)], stride, region, build)
    ports_given = {"start": (KV_TARGET, starts), "i": (quantised_word(lanes), values),
                   "i_scale": (SCALAR, given_scales), "o_write": (WRITE_BEAT, [beat for beat, _ in writes]),
                   "care": (WRITE_BEAT, [mask for _, mask in writes])}
    return {port: list(map(Packing.of(shape).pack, some)) for port, (shape, some) in ports_given.items()}


@pytest.mark.parametrize(("kv_bits", "dim", "ports", "rows", "lanes"), [
    (8, 40, 2, 4, 4), (16, 4, 1, 1, 4), *(pytest.param(*other, marks=pytest.mark.slow) for other in (
        (8, 96, 4, 8, 4), (8, 64, 4, 4, 4), (8, 4, 4, 2, 4), (16, 24, 4, 4, 4), (8, 56, 1, 4, 4), (8, 40, 1, 1, 1),
        (16, 24, 2, 2, 2)))])
def test_layout(kv_bits, dim, ports, rows, lanes):
    unit = WithSharedUnits(KVWriter(kv_bits=kv_bits, ports=ports, rows=rows, heads=4, beats=24, lanes=lanes), lanes)
    cases = {name: _case(kv_bits, dim, ports, rows, lanes, whole)
             for name, whole in (("keys", True), ("values", False))}
    run_bench(unit, "tests.hw.vector.kv_writer_bench",
              {"cases": cases, "words": dim // lanes, "heads": HEADS})


def test_kv_bits_are_8_or_16():
    with pytest.raises(ValueError, match="^kv_bits must be 8 or 16, got 4$"):
        KVWriter(kv_bits=4, ports=4, rows=4, heads=4, beats=24, lanes=4)
