# amaranth: UnusedElaboratable=no
"""Intake: jobs of one token and of several blocks, alone and in turn, keys of two chunks and of three."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hw.attention.intake import Intake
from hw.boards.registry import BUILDS
from models.machine.cache import BLOCK_TOKENS, chunk_bytes
from sim.runner import run_bench

BUILD = replace(BUILDS["sim-tiny"], name="two chunks a beat", ports=4, context_max=64, head_dim_max=96)
CHUNKS = 4
CHUNK, BEAT = chunk_bytes(BUILD.ports), BUILD.beat_bytes
PARTS = BEAT // CHUNK


def _integer(data) -> int:
    return int.from_bytes(np.asarray(data, np.uint8).tobytes(), "little")


def _keys(rng, job, bank, row_bytes):
    """The beats of a job's keys: scales of a block, its rows; padding to whole beats behind the last."""
    heads, rows, chunks = job["heads_last"] + 1, job["rows_last"] + 1, row_bytes // CHUNK
    tokens = job["tokens"] + job["rows_last"]
    for block in range(0, tokens, BLOCK_TOKENS):
        scales = rng.integers(0, 1 << 32, 2 * BLOCK_TOKENS, dtype=np.uint32)
        yield from ({"data": _integer(beat)} for beat in scales.view(np.uint8).reshape(-1, BEAT))
        here = min(BLOCK_TOKENS, tokens - block)
        data = rng.integers(0, 256, -(-here * row_bytes // BEAT) * BEAT, dtype=np.uint8)
        for n, beat in enumerate(data.reshape(-1, BEAT)):
            numbers = [(n * PARTS + part) % chunks for part in range(PARTS)]
            found = {"data": _integer(beat), "keys": {"bank": bank, "parts": [
                {"chunk": number, "first": int(number == 0), "last": int(number == chunks - 1)} for number in numbers]}}
            if chunks - 1 in numbers:
                token = block + (n * PARTS + numbers.index(chunks - 1)) // chunks
                counts = sum(1 << pair for pair in range(heads * rows) if token < job["tokens"] + pair // heads)
                found |= {"event": {"token": token, "counts": counts, "last": int(token == tokens - 1), "bank": bank},
                          "pairs": (1 << heads * rows) - 1,
                          "scales": {"key_scale": int(scales[token % BLOCK_TOKENS]),
                                     "value_scale": int(scales[BLOCK_TOKENS + token % BLOCK_TOKENS])}}
            yield found


def _values(rng, number, job, bank, dim):
    """The beats of a job's values, a pass a chunk."""
    count = -(-(job["tokens"] + job["rows_last"]) // PARTS)
    for _ in range(-(-BUILD.kv.bytes_of(dim) // CHUNK)):
        for n in range(count):
            beat = rng.integers(0, 256, BEAT, dtype=np.uint8)
            yield {"data": _integer(beat), "job": number, "values": {
                "weights": n, "bank": bank, "first": int(n == 0), "last": int(n == count - 1)}}


def _command(rng, first_bank, dim, row_bytes, shapes):
    """shapes: tokens, heads, rows of each job. Behind a job's keys come the values of the one before."""
    jobs = [{"last": int(n == len(shapes) - 1), "kv_head": int(rng.integers(256)), "head": int(rng.integers(256)),
             "row": int(rng.integers(256)), "tokens": tokens, "heads_last": heads - 1, "rows_last": rows - 1}
            for n, (tokens, heads, rows) in enumerate(shapes)]
    beats = []
    for n, job in enumerate(jobs):
        bank = (first_bank + n) % 2
        beats += _keys(rng, job, bank, row_bytes)
        if n:
            beats += _values(rng, n - 1, jobs[n - 1], 1 - bank, dim)
        if job["last"]:
            beats += _values(rng, n, job, bank, dim)
    return {"jobs": jobs, "beats": beats, "dim": dim, "row_bytes": row_bytes}


def test_bench():
    rng, commands, bank = np.random.default_rng(1), [], 0
    for dim, row_bytes, shapes in (
            (64, 64, [(1, 1, 1)]), (96, 96, [(20, 4, 1), (3, 1, 4), (16, 2, 2)]), (40, 64, [(19, 2, 1), (18, 2, 1)]),
            (96, 96, [(1, 4, 1), (2, 4, 1), (17, 3, 1)]), (16, 64, [(5, 1, 3)])):
        commands.append(_command(rng, bank, dim, row_bytes, shapes))
        bank = (bank + len(shapes)) % 2
    run_bench(Intake(BUILD, chunks=CHUNKS), "tests.hw.attention.intake_bench",
              {"build": BUILD.to_json(), "chunks": CHUNKS, "commands": commands})
