"""Attention problems for the benches: caches of several kinds, their memory image, and the golden results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.golden.attention import attention
from models.golden.rounding import round_shift
from models.golden.scalar import Scalar, from_word, log2_e_over_root, to_word
from models.machine.build import BuildParameters
from models.machine.cache import (
    BLOCK_TOKENS,
    HEADER_BYTES,
    VALUE_SCALES,
    block_bytes,
    chunk_bytes,
    padded_row,
    value_region,
)
from models.machine.kv_format import kv_format

__all__ = ["KINDS", "AttentionCase", "attention_case", "expected_jobs"]

KINDS = ("random", "extreme", "zero_keys", "zero_key_scales", "zero_value_scales", "one_value_scale", "massive",
         "large_scores", "scale_ratios")


@dataclass(frozen=True)
class AttentionCase:
    """One layer's cache and the queries of `rows` consecutive positions, the first at `position`.

    q: int [rows, heads, dim], q_scale [rows, heads]; keys, values: int [kv_heads, tokens, dim] with memory
    words [kv_heads, tokens] as scales, tokens = position + rows.
    """

    q: np.ndarray
    q_scale: Scalar
    keys: np.ndarray
    key_scales: np.ndarray
    values: np.ndarray
    value_scales: np.ndarray
    kv_bits: int

    @property
    def position(self) -> int:
        """Tokens before the first row."""
        return self.keys.shape[1] - self.q.shape[0]

    @property
    def score_constant(self) -> int:
        """The command's constant, log2(e) / sqrt(dim), as a memory word."""
        return int(to_word(log2_e_over_root(self.q.shape[2])))

    def golden(self, row: int) -> tuple[np.ndarray, int]:
        """The row's channels aligned to its largest exponent, and that exponent."""
        n = self.position + row + 1
        out, exponents = attention(
            self.q[row], self.q_scale[row], self.keys[:, :n], from_word(self.key_scales[:, :n]), self.values[:, :n],
            from_word(self.value_scales[:, :n]), from_word(np.uint32(self.score_constant)), kv_bits=self.kv_bits)
        top = exponents.max()
        align = np.repeat(top - exponents, self.q.shape[1] // self.keys.shape[0])[:, None]
        return round_shift(out, align).reshape(-1), int(top)

    def image(self, build: BuildParameters, base: int, rng: np.random.Generator) -> tuple[bytes, dict[str, int]]:
        """Bytes of the cache from `base` on, logical, and the command's fields. What is unused is noise."""
        kv_heads, tokens, dim = self.keys.shape
        context = tokens + int(rng.integers(0, 9))
        kv, chunk = kv_format(self.kv_bits), chunk_bytes(build.ports)
        size, row_bytes = kv.bytes_of(dim), padded_row(kv.bytes_of(dim), build)
        block, region = block_bytes(row_bytes), value_region(context, build)
        values_at = -(-(-(-context // BLOCK_TOKENS) * block) // build.stream_align) * build.stream_align
        head_bytes = values_at + region * (row_bytes // chunk) + build.stream_align * int(rng.integers(0, 3))
        memory = rng.integers(0, 256, head_bytes * kv_heads, dtype=np.uint8)
        t = np.arange(tokens)
        start = t // BLOCK_TOKENS * block
        for head in range(kv_heads):
            at = memory[head * head_bytes:]
            for scales, offset in ((self.key_scales, 0), (self.value_scales, VALUE_SCALES)):
                places = (start + offset + t % BLOCK_TOKENS * 4)[:, None] + np.arange(4)
                at[places] = scales[head].astype("<u4").view(np.uint8).reshape(-1, 4)
            rows = np.zeros((tokens, row_bytes), np.uint8)
            rows[:, :size] = kv.stored(self.keys[head])
            places = start + HEADER_BYTES + t % BLOCK_TOKENS * row_bytes
            at[places[:, None] + np.arange(row_bytes)] = rows
            rows[:] = rng.integers(0, 256, rows.shape)
            rows[:, :size] = kv.stored(self.values[head])
            places = values_at + np.arange(row_bytes // chunk)[:, None] * region + np.arange(chunk)
            at[t[:, None, None] * chunk + places] = rows.reshape(tokens, -1, chunk)
        return memory.tobytes(), {
            "head_bytes": head_bytes, "row_bytes": row_bytes, "block_bytes": block, "region_bytes": region,
            "keys": base + HEADER_BYTES, "values": base + values_at, "key_scales": base,
            "value_scales": base + VALUE_SCALES}


def _scales(rng: np.random.Generator, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
    """Memory words with exponents in low .. high - 1."""
    return to_word(Scalar(rng.integers(1 << 23, 1 << 24, shape), rng.integers(low, high, shape)))


def attention_case(kind: str, *, heads: int, kv_heads: int, dim: int, tokens: int, rows: int = 1, kv_bits: int = 8,
                   seed: int = 0) -> AttentionCase:
    """One of KINDS; `tokens` counts the first row's own. Scores of "random" spread over a few log2 units."""
    rng = np.random.default_rng([seed, heads, kv_heads, dim, tokens, kv_bits, KINDS.index(kind)])
    limit, cached = (1 << (kv_bits - 1)) - 1, tokens + rows - 1
    cache, lists = (kv_heads, cached, dim), (kv_heads, cached)
    q = rng.integers(-32767, 32768, (rows, heads, dim))
    keys, values = (rng.integers(-limit, limit + 1, cache) for _ in range(2))
    spread = 19 + kv_bits + dim.bit_length() // 2
    q_scale = from_word(_scales(rng, (rows, heads), -8, -6))
    key_scales = _scales(rng, lists, 9 - spread, 11 - spread)
    value_scales = _scales(rng, lists, -9, -5)
    if kind == "extreme":
        q, keys, values = (np.sign(x) * top + (x == 0) * top for x, top in ((q, 32767), (keys, limit), (values, limit)))
        values[:, :, ::2] = limit
        keys[:, tokens // 2:] = keys[:, :1]
        value_scales[:] = 0x7FFFFFFF
    elif kind == "zero_keys":
        keys[:] = 0
    elif kind == "zero_key_scales":
        key_scales[:, ::2] = 0
    elif kind == "zero_value_scales":
        value_scales[:] = 0
    elif kind == "one_value_scale":
        value_scales[:] = 0
        value_scales[:, tokens // 3] = 0x85ABCDEF
    elif kind == "massive":
        keys[:, tokens // 2] = np.where(q[0, ::heads // kv_heads] > 0, limit, -limit)
        key_scales[:, tokens // 2] = _scales(rng, (kv_heads,), 18 - spread, 19 - spread)
    elif kind == "large_scores":
        key_scales = _scales(rng, lists, 20, 128)
    elif kind == "scale_ratios":
        value_scales = _scales(rng, lists, -128, 128)
        value_scales[:, rng.integers(0, cached, max(1, cached // 4))] = 0
        key_scales = _scales(rng, lists, -60, 14 - spread)
    elif kind != "random":
        raise ValueError(f"unknown kind {kind!r}")
    return AttentionCase(q, q_scale, keys, key_scales, values, value_scales, kv_bits)


def expected_jobs(pairs: int, heads: int, kv_heads: int, rows: int, first_row: int,
                  position: int) -> list[dict[str, int]]:
    """The jobs of an ATTEND as `hw.attention.jobs.JobWalk` gives them: its contract, written out."""
    group = heads // kv_heads
    most = max(1, pairs // group) if group <= 2 else 1
    jobs = [
        {"last": 0, "kv_head": kv_head, "head": kv_head * group + head, "row": first_row + row,
         "tokens": position + row + 1, "heads_last": min(pairs, group - head) - 1,
         "rows_last": min(most, rows - row) - 1}
        for row in range(0, rows, most) for kv_head in range(kv_heads) for head in range(0, group, pairs)]
    jobs[-1]["last"] = 1
    return jobs
