"""The words that a LOAD makes of bytes."""

from __future__ import annotations

from hw.memory.loader import CHANNEL_BYTES
from hw.memory.shapes import LOAD_CHANNELS
from models.machine.descriptor import LoadTarget

__all__ = ["WORD_BYTES", "load_words"]

WORD_BYTES = {target: channels * CHANNEL_BYTES[target] for target, channels in LOAD_CHANNELS.items()}


def load_words(target: LoadTarget, offset: int, content: bytes, row: int = 0) -> list[dict[str, int]]:
    """Whole words alone; the indices count channels, or for STEP rows, from `offset`."""
    width = WORD_BYTES[target]
    return [{"target": target, "row": row, "index": offset + n * LOAD_CHANNELS[target],
             "data": int.from_bytes(content[n * width:][:width], "little")} for n in range(len(content) // width)]
