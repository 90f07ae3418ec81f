# amaranth: UnusedElaboratable=no
"""Intake: jobs of one token and of several blocks, alone and in turn, keys of two chunks and of three."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw.attention.intake import Intake
from hw.attention.slices import slicing
from hw.boards.registry import BUILDS
from models.machine.cache import BLOCK_TOKENS
from sim.runner import run_bench

TWO_CHUNKS = replace(BUILDS["sim-tiny"], name="two chunks a beat", ports=4, context_max=64, head_dim_max=96)
SLICES = replace(TWO_CHUNKS, name="slices of a beat", ports=1, attention_pairs=1, query_word=4)


def _integer(data) -> int:
    return int.from_bytes(np.asarray(data, np.uint8).tobytes(), "little")


def _keys(rng, cut, job, bank, row_bytes):
    """The slices of a job's keys: scales of a block, its rows; padding to whole beats behind the last."""
    size, taken = cut.bits // 8, cut.beat_bits // 8
    heads, rows, chunks = job["heads_last"] + 1, job["rows_last"] + 1, row_bytes // size
    tokens = job["tokens"] + job["rows_last"]
    for block in range(0, tokens, BLOCK_TOKENS):
        scales = rng.integers(0, 1 << 32, 2 * BLOCK_TOKENS, dtype=np.uint32)
        yield from ({"data": _integer(beat)} for beat in scales.view(np.uint8).reshape(-1, taken))
        here = min(BLOCK_TOKENS, tokens - block)
        data = rng.integers(0, 256, -(-here * row_bytes // taken) * taken, dtype=np.uint8)
        for n, beat in enumerate(data.reshape(-1, taken)):
            numbers = [(n * cut.parts + part) % chunks for part in range(cut.parts)]
            found = {"data": _integer(beat), "keys": {"bank": bank, "parts": [
                {"chunk": number, "first": int(number == 0), "last": int(number == chunks - 1)} for number in numbers]}}
            if chunks - 1 in numbers:
                token = block + (n * cut.parts + numbers.index(chunks - 1)) // chunks
                counts = sum(1 << pair for pair in range(heads * rows) if token < job["tokens"] + pair // heads)
                found |= {"event": {"token": token, "counts": counts, "last": int(token == tokens - 1), "bank": bank},
                          "pairs": (1 << heads * rows) - 1,
                          "scales": {"key_scale": int(scales[token % BLOCK_TOKENS]),
                                     "value_scale": int(scales[BLOCK_TOKENS + token % BLOCK_TOKENS])}}
            yield found


def _values(rng, cut, number, job, bank, dim):
    """The slices of a job's values, a pass a chunk."""
    count = -(-(job["tokens"] + job["rows_last"]) // cut.parts)
    for _ in range(-(-dim // cut.elements)):
        for n in range(count):
            for piece in range(cut.count):
                beat = rng.integers(0, 256, cut.beat_bits // 8, dtype=np.uint8)
                yield {"data": _integer(beat), "job": number, "values": {
                    "weights": n, "bank": bank, "slice": piece, "first": int(n == 0),
                    "last": int(n == count - 1 and piece == cut.count - 1)}}


def _command(rng, cut, first_bank, dim, row_bytes, shapes):
    """shapes: tokens, heads, rows of each job. Behind a job's keys come the values of the one before."""
    jobs = [{"last": int(n == len(shapes) - 1), "kv_head": int(rng.integers(256)), "head": int(rng.integers(256)),
             "row": int(rng.integers(256)), "tokens": tokens, "heads_last": heads - 1, "rows_last": rows - 1}
            for n, (tokens, heads, rows) in enumerate(shapes)]
    beats = []
    for n, job in enumerate(jobs):
        bank = (first_bank + n) % 2
        beats += _keys(rng, cut, job, bank, row_bytes)
        if n:
            beats += _values(rng, cut, n - 1, jobs[n - 1], 1 - bank, dim)
        if job["last"]:
            beats += _values(rng, cut, n, job, bank, dim)
    return {"jobs": jobs, "beats": beats, "dim": dim, "row_bytes": row_bytes}


@pytest.mark.parametrize("build", [TWO_CHUNKS, pytest.param(SLICES, marks=pytest.mark.slow)],
                         ids=lambda build: build.name)
def test_bench(build):
    """With a single pair, jobs of that."""
    cut, rng, commands, bank = slicing(build), np.random.default_rng(1), [], 0
    for dim, row_bytes, shapes in (
            (64, 64, [(1, 1, 1)]), (96, 96, [(20, 4, 1), (3, 1, 4), (16, 2, 2)]), (40, 64, [(19, 2, 1), (18, 2, 1)]),
            (96, 96, [(1, 4, 1), (2, 4, 1), (17, 3, 1)]), (16, 64, [(5, 1, 3)])):
        if build.attention_pairs == 1:
            shapes = [(tokens, 1, 1) for tokens, *_ in shapes]
        commands.append(_command(rng, cut, bank, dim, row_bytes, shapes))
        bank = (bank + len(shapes)) % 2
    chunks = cut.count * -(-96 // cut.elements)
    run_bench(Intake(build, chunks=chunks), "tests.hw.attention.intake_bench",
              {"build": build.to_json(), "chunks": chunks, "commands": commands})
