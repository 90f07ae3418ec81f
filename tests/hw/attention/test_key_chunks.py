# amaranth: UnusedElaboratable=no
"""Key chunks: numbers of the chunks in each beat, where keys end, and the scales of the block that go with them."""

from __future__ import annotations

import numpy as np
import pytest

from hw.attention.key_chunks import KeyChunks
from models.machine.cache import BLOCK_TOKENS
from tests.hw.cycle_table import check_cycles

CHUNKS = 8


@pytest.mark.parametrize(("bits", "parts", "sliced"), [
    pytest.param(128, 1, False, marks=pytest.mark.slow), (128, 2, False), *(
        pytest.param(bits, 1, True, marks=pytest.mark.slow) for bits in (32, 64))])
def test_keys_of_jobs(bits, parts, sliced):
    """Jobs of keys of every size, odd numbers of chunks among them, with gaps; scales of several blocks."""
    rng, cycles = np.random.default_rng(parts), []
    header_beats = 2 * BLOCK_TOKENS * 32 // (bits * parts)
    due = {}  # scales by the cycle in which they are there
    fields = ("chunk_last", "token", "bank", "beat", "begin", "header", "valid")

    def cycle(keys=None, ends=None, **given):
        noise = {"token": int(rng.integers(BLOCK_TOKENS)), "bank": int(rng.integers(2)),
                 "beat": int.from_bytes(rng.bytes(bits * parts // 8), "little"), "begin": 0, "header": 0, "valid": 0}
        cycles.append(({**noise, "chunk_last": size - 1, **given}, keys, ends))

    for size in [parts, CHUNKS, *range(parts, CHUNKS + 1), int(rng.integers(parts, CHUNKS + 1))]:
        cycle()
        cycle()
        cycle(begin=1)
        number = 0  # of the chunk that comes, counted through the job
        for _ in range(2):
            scales = [int(scale) for scale in rng.integers(0, 1 << 32, 2 * BLOCK_TOKENS)]
            whole = sum(scale << 32 * n for n, scale in enumerate(scales))
            for n in range(header_beats):
                cycle(header=1, beat=whole >> bits * parts * n & (1 << bits * parts) - 1)
            token = 0
            while token < BLOCK_TOKENS:
                if rng.random() < 0.2:
                    cycle()
                    continue
                beat, bank = int.from_bytes(rng.bytes(bits * parts // 8), "little"), int(rng.integers(2))
                chunks = [(number + part) % size for part in range(parts)]
                ends = int(size - 1 in chunks)
                keys = {"data": [beat >> bits * part & (1 << bits) - 1 for part in range(parts)], "bank": bank,
                        "parts": [{"chunk": chunk, "first": int(chunk == 0), "last": int(chunk == size - 1)}
                                  for chunk in chunks]}
                if ends:
                    due[len(cycles) + 2] = scales[token], scales[BLOCK_TOKENS + token]
                cycle(keys, ends, valid=1, beat=beat, bank=bank, token=token)
                token += ends
                number += parts
    cycle()
    cycle()
    check_cycles(KeyChunks(chunk_bits=bits, parts=parts, chunks=CHUNKS, sliced=sliced),
                 inputs={name: [given[name] for given, _, _ in cycles] for name in fields},
                 outputs={"keys": [keys for _, keys, _ in cycles], "ends": [ends for *_, ends in cycles],
                          "key_scale": [due.get(n, (None, None))[0] for n in range(len(cycles))],
                          "value_scale": [due.get(n, (None, None))[1] for n in range(len(cycles))]})
