"""Ternary blocks of GGUF files weight by weight, as the layouts' texts have them; from no reader of ours."""

import numpy as np

__all__ = ["BLOCK_TYPES", "decoded", "encoded"]

BLOCK_TYPES = {"TQ1_0": (34, 256), "TQ2_0": (35, 256), "Q2_0": (42, 64), "Q2_0 of 128": (42, 128), "PQ2_0": (142, 128),
               "PTQ1_0": (143, 128)}
"""Number in the file, and weights of a block."""

_POWERS = 81, 27, 9, 3, 1
_SCALE_LAST = "TQ1_0", "TQ2_0", "PTQ1_0"


def _place(kind: str, i: int) -> tuple[int, int]:
    """Of weight i of a block: its byte among the codes, and which of the byte's digits or pairs of bits."""
    if kind == "TQ2_0":
        return i // 128 * 32 + i % 32, i % 128 // 32
    if kind in ("Q2_0", "Q2_0 of 128", "PQ2_0"):
        return i // 4, i % 4
    # stages of base-3 bytes: their width, their first weight, their first byte
    stages = {"TQ1_0": ((4, 240, 48), (16, 160, 32), (32, 0, 0)), "PTQ1_0": ((2, 120, 24), (8, 80, 16), (16, 0, 0))}
    width, weight, byte = next(stage for stage in stages[kind] if stage[1] <= i)
    return byte + (i - weight) % width, (i - weight) // width


def _code_bytes(kind: str) -> int:
    return {"TQ1_0": 52, "PTQ1_0": 26}.get(kind) or BLOCK_TYPES[kind][1] // 4


def encoded(kind: str, trits: np.ndarray, scales: np.ndarray) -> bytes:
    """A tensor. trits: int8 [out, in]; scales: float [out, in / weights of a block]."""
    weights, base_3 = BLOCK_TYPES[kind][1], kind in ("TQ1_0", "PTQ1_0")
    blocks = trits.reshape(-1, weights).astype(int)
    codes = np.zeros((len(blocks), _code_bytes(kind)), int)
    for i in range(weights):
        byte, digit = _place(kind, i)
        codes[:, byte] += (blocks[:, i] + 1) * (_POWERS[digit] if base_3 else 4**digit)
    if base_3:
        codes = -(-codes * 256 // 243)
    d = np.float16(scales).reshape(-1, 1).view(np.uint8)
    parts = [codes.astype(np.uint8), d] if kind in _SCALE_LAST else [d, codes.astype(np.uint8)]
    return np.concatenate(parts, axis=1).tobytes()


def decoded(kind: str, data: bytes, shape: tuple[int, int]) -> np.ndarray:
    """float32 [out, in] of a tensor's bytes."""
    weights, size = BLOCK_TYPES[kind][1], _code_bytes(kind) + 2
    blocks = np.frombuffer(data, np.uint8).reshape(-1, size)
    codes, d = (blocks[:, :-2], blocks[:, -2:]) if kind in _SCALE_LAST else (blocks[:, 2:], blocks[:, :2])
    scales, values = np.ascontiguousarray(d).view("<f2")[:, 0].astype(np.float32), np.empty((len(blocks), weights))
    for i in range(weights):
        byte, digit = _place(kind, i)
        code = codes[:, byte].astype(int)
        code = (code * 3**digit % 256) * 3 // 256 if kind in ("TQ1_0", "PTQ1_0") else code // 4**digit % 4
        values[:, i] = (code - 1) * scales
    return values.astype(np.float32).reshape(shape)
