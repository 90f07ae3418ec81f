"""QUERY, KEY, VALUE and ATTEND: heads, and the cache that they fill and read."""

from __future__ import annotations

import numpy as np

from host.compiler.rules.listed_pass import up
from host.compiler.rules.operation import Operation
from models.machine.build import HEAD_UNIT, PORT_BYTES
from models.machine.cache import BLOCK_TOKENS, HEADER_BYTES, VALUE_SCALES, chunk_bytes

__all__ = ["attend", "cached", "heads"]

_LINE = 4  # bytes of a scale


def heads(operation: Operation) -> None:
    """Of every operation that has some."""
    f, build = operation.fields, operation.build
    operation.within("dim", build.head_dim_max)
    operation.within("heads", build.heads_max)
    operation.multiples(HEAD_UNIT, "dim")
    channels = f["heads"] * f["dim"]
    operation.refuse(channels > build.attention_channels,
                     f"{{heads}} heads of {{dim}} channels exceed the build's {build.attention_channels}")
    if "accumulator" in f:
        operation.sums("accumulator", channels)
    if operation.tiles and "normed" in f:
        operation.refuse(f["normed"] > 0, "the build takes no norms of heads")


def cached(operation: Operation) -> None:
    """KEY and VALUE."""
    f = operation.fields
    heads(operation)
    operation.multiples(PORT_BYTES, "address", "address_stride", "head_bytes", "region_bytes", "block_bytes",
                        "scale_address", "scale_block_bytes")
    tokens = operation.last_position() + f["token"] + f["rows"]
    operation.within_context()
    _entries(operation, "address", tokens, f["address_stride"], f["block_bytes"], f["region_bytes"], "it writes")
    stride = np.full_like(tokens, _LINE)
    _entries(operation, "scale_address", tokens, stride, f["scale_block_bytes"], None, "it writes scales at")


def _entries(operation: Operation, name: str, tokens: np.ndarray, stride: np.ndarray, block: np.ndarray,
             region: np.ndarray | None, what: str) -> None:
    """`tokens` entries a head from the address `name` on; region: between chunks of a row, None for scales."""
    f, build = operation.fields, operation.build
    last = tokens - 1
    whole, rest = last // BLOCK_TOKENS, last % BLOCK_TOKENS
    furthest = np.maximum(whole * block + rest * stride,
                          np.where(whole > 0, (whole - 1) * block + (BLOCK_TOKENS - 1) * stride, 0))
    size = np.full_like(tokens, _LINE) if region is None else f["dim"] * build.kv.bits // 8
    if region is not None and operation.tiles:
        chunk = chunk_bytes(build.ports)
        furthest, size = furthest + (up(size, chunk) // chunk - 1) * region, np.full_like(size, chunk)
    end = f[name] + furthest + size + (f["heads"] - 1) * f["head_bytes"]
    _inside(operation, f[name], end, what)


def _inside(operation: Operation, start: np.ndarray, end: np.ndarray, what: str) -> None:
    """Logical addresses: in a build of several ports, anywhere in the groups of bursts that they lie in."""
    if operation.tiles:
        align = operation.build.stream_align
        start, end = start // align * align, up(end, align)
    operation.inside(start, end, what)


def attend(operation: Operation) -> None:
    f, build = operation.fields, operation.build
    heads(operation)
    group = f["heads"] // np.maximum(f["kv_heads"], 1)
    operation.refuse((f["kv_heads"] == 0) | (group * f["kv_heads"] != f["heads"]) | (group > build.group_max),
                     f"{{heads}} heads on {{kv_heads}} are no groups of at most {build.group_max}")
    operation.refuse(f["row_bytes"] < build.kv.bytes_of(f["dim"]), "{row_bytes} bytes do not hold {dim} channels")
    tokens, behind = operation.last_position() + f["token"] + f["rows"], (f["kv_heads"] - 1) * f["head_bytes"]
    whole, rest = tokens // BLOCK_TOKENS, tokens % BLOCK_TOKENS
    if not operation.tiles:
        for name, stride in (("key_scales", _LINE), ("value_scales", _LINE), ("keys", f["row_bytes"]),
                             ("values", f["row_bytes"])):
            operation.inside(f[name], f[name] + behind + tokens * stride, f"it reads {name} at")
        return
    beat, align, chunk = build.beat_bytes, build.stream_align, chunk_bytes(build.ports)
    operation.multiples(align, "key_scales", "values", "head_bytes", "region_bytes")
    operation.multiples(PORT_BYTES, "row_bytes", "block_bytes")
    apart = (f["value_scales"] != f["key_scales"] + VALUE_SCALES) | (f["keys"] != f["key_scales"] + HEADER_BYTES)
    operation.refuse(apart, "scales and keys do not lie in one block")
    keys = whole * f["block_bytes"] + np.where(rest > 0, HEADER_BYTES + up(rest * f["row_bytes"], beat), 0)
    _inside(operation, f["key_scales"], f["key_scales"] + behind + keys, "it reads keys at")
    chunks = up(build.kv.bytes_of(f["dim"]), chunk) // chunk
    values = (chunks - 1) * f["region_bytes"] + up(tokens * chunk, beat)
    _inside(operation, f["values"], f["values"] + behind + values, "it reads values at")
