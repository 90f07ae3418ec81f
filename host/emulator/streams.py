"""Weight and head streams decoded from the memory image, once each."""

from __future__ import annotations

import numpy as np

from models.machine.build import TRITS_PER_BYTE, BuildParameters
from models.machine.layout import unstripe

__all__ = ["StreamCache"]

# digit j of byte b, as float32 trit; bytes above 242 are invalid and decode as zeros
_DIGITS = (np.arange(256)[:, None] // 3 ** np.arange(TRITS_PER_BYTE)[None, :] % 3 - 1).astype(np.int8)
_DIGITS[243:] = 0


class StreamCache:
    """Decoded matrices by address, ready for a matrix product."""

    def __init__(self, build: BuildParameters):
        self._build = build
        self._weights: dict[int, tuple[np.ndarray, int]] = {}
        self._heads: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._weights.clear()
        self._heads.clear()

    def weights(self, address: int, data: np.ndarray, tiles: int, outputs: int) -> tuple[np.ndarray, int]:
        """float32 [tiles * 3 T, outputs] of a weight stream, and how many of its bytes are invalid."""
        if address not in self._weights:
            stream = unstripe(data, self._build)
            trits = _DIGITS[stream].reshape(-1)[:tiles * outputs * self._build.tile_inputs]
            matrix = trits.reshape(tiles, outputs, self._build.tile_inputs).transpose(0, 2, 1)
            matrix = np.ascontiguousarray(matrix.reshape(-1, outputs), dtype=np.float32)
            self._weights[address] = matrix, int(np.count_nonzero(stream > 242))
        return self._weights[address]

    def head(self, address: int, data: np.ndarray, vocab: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """float64 [count, vocab] rows, transposed, and their scales' words, uint32 [vocab]."""
        if address not in self._heads:
            beat = self._build.beat_bytes
            block_rows, row_beats = beat // 4, -(-count // beat)
            blocks = -(-vocab // block_rows)
            stream = unstripe(data, self._build)[:blocks * (1 + block_rows * row_beats) * beat]
            blocked = stream.reshape(blocks, -1)
            scales = np.ascontiguousarray(blocked[:, :beat]).view("<u4").reshape(-1)[:vocab]
            rows = np.ascontiguousarray(blocked[:, beat:]).view(np.int8).reshape(-1, row_beats * beat)
            self._heads[address] = np.ascontiguousarray(rows[:vocab, :count].T, dtype=np.float64), scales
        return self._heads[address]
