# amaranth: UnusedElaboratable=no
"""KVWriter lays heads out as the cache is defined, byte for byte."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw.vector.kv_writer import KVWriter
from models.golden.scalar import to_word
from models.machine.build import BOARDS, LANES
from models.machine.cache import BLOCK_TOKENS, chunk_bytes, physical
from sim.benches.arith.stream_table import BENCH, table
from sim.runner import run_bench
from tests.hw.arith.scalars import as_fields, random_scalars

HEADS, TOKENS = 3, 2
FIRST = 703  # the second token begins a block


def _writes(address: int, content: bytes) -> list[tuple[dict[str, int], dict[str, int]]]:
    """Beats that write `content` at `address` and touch nothing else, each with the mask of what they define."""
    beats = []
    for start in range(address & ~15, address + len(content), 16):
        held = range(max(start, address), min(start + 16, address + len(content)))
        data = sum(content[byte - address] << 8 * (byte - start) for byte in held)
        mask = sum(255 << 8 * (byte - start) for byte in held)
        beat = {"address": start, "data": data, "strobe": sum(1 << (byte - start) for byte in held)}
        beats.append((beat, {"address": (1 << 40) - 1, "data": mask, "strobe": (1 << 16) - 1}))
    return beats


@pytest.mark.parametrize("stall", [0.0, 0.3], ids=["free", "stalls"])
@pytest.mark.parametrize(("kv_bits", "dim", "ports"), [(8, 64, 4), (8, 40, 2), (8, 4, 4), (16, 24, 4), (16, 4, 1),
                                                       (8, 56, 1)])
def test_layout(kv_bits, dim, ports, stall):
    build = replace(BOARDS["sim-tiny"], ports=ports)
    rng = np.random.default_rng([kv_bits, dim])
    limit = (1 << (kv_bits - 1)) - 1
    q = rng.integers(-limit, limit + 1, (TOKENS, HEADS, dim))
    scales = random_scalars(rng, TOKENS * HEADS, -160, 160)
    target = {"address": 0x99_0000_1000, "address_stride": 128, "block_bytes": 0x840, "region_bytes": 0x4400,
              "scale_address": 0x12_3456_7040, "scale_block_bytes": 0x480, "head_bytes": 0x8400, "heads": HEADS}
    chunk = chunk_bytes(ports)
    writes = []
    for token in range(TOKENS):
        for head in range(HEADS):
            block, within = divmod(FIRST + token, BLOCK_TOKENS)
            row = target["address"] + block * 0x840 + within * 128 + head * 0x8400
            content = q[token, head].astype(f"<i{kv_bits // 8}").tobytes()
            for n in range(0, len(content), 16):
                writes += _writes(physical(row + n // chunk * 0x4400 + n % chunk, build), content[n:n + 16])
            word = int(to_word(scales[token * HEADS + head]))
            address = target["scale_address"] + block * 0x480 + within * 4 + head * 0x8400
            writes += _writes(physical(address, build), word.to_bytes(4, "little"))
    unit = KVWriter(kv_bits, ports)
    inputs = {
        "start": [{**target, "token": FIRST + token} for token in range(TOKENS)],
        "i": [{"values": head[n:n + LANES], "last": n + LANES == dim}
              for head in q.reshape(-1, dim) for n in range(0, dim, LANES)],
        "i_scale": [as_fields(scales[n]) for n in range(TOKENS * HEADS)],
    }
    run_bench(unit, BENCH, table(unit, inputs=inputs, outputs={"o_write": [beat for beat, _ in writes]},
                                 care={"o_write": [mask for _, mask in writes]}, stall=stall))


def test_kv_bits_are_8_or_16():
    with pytest.raises(ValueError, match="^kv_bits must be 8 or 16, got 4$"):
        KVWriter(4, 4)
