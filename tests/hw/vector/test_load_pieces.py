"""LoadPieces: words of every target, in pieces of at most so many channels, at the places of their memory."""

from __future__ import annotations

import numpy as np
import pytest

from hw.memory.loader import CHANNEL_BYTES
from hw.memory.shapes import LOAD_CHANNELS
from hw.vector.load_pieces import LoadPieces
from models.machine.descriptor import LoadTarget
from tests.hw.stream_table import Case, check


def _pieces(word: dict[str, int], lanes: int) -> list[dict[str, int]]:
    """The bytes of each piece alone."""
    target = word["target"]
    channels, size = LOAD_CHANNELS[target], CHANNEL_BYTES[target]
    given, step = word["data"].to_bytes(16, "little"), min(channels, lanes)
    return [{**word, "index": word["index"] + at,
             "data": int.from_bytes(given[at * size:(at + step) * size], "little")} for at in range(0, channels, step)]


@pytest.mark.parametrize("lanes", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)])
def test_pieces(lanes):
    rng, words = np.random.default_rng(lanes), []
    for target in rng.choice(list(LoadTarget), 200):
        channels, size = LOAD_CHANNELS[target], CHANNEL_BYTES[target]
        words.append({"target": int(target), "row": int(rng.integers(256)),
                      "index": int(rng.integers(1 << 12)) * channels,
                      "data": int.from_bytes(rng.bytes(channels * size), "little")})
    check(LoadPieces(lanes), [Case("all targets", inputs={"i": words}, outputs={
        "o": [piece for word in words for piece in _pieces(word, lanes)]})])
