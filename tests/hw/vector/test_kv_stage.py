# amaranth: UnusedElaboratable=no
"""The stage of keys or values against their bytes: rows of heads with whole and half filled last beats, and scales."""

from __future__ import annotations

import numpy as np
import pytest

from hw.vector.kv_stage import BEAT_BYTES, SCALES_A_BEAT, KVStage, scale_beats
from models.golden.scalar import to_word
from models.machine.kv_format import kv_format
from tests.hw.arith.scalars import as_fields, random_scalars
from tests.hw.cycle_table import check_cycles

ROWS, HEADS, BEATS = 4, 3, 12


class Story:
    """Cycles of the stage, and what is in it: bytes and scale words by place, None where nothing was written."""

    def __init__(self, kv_bits: int, lanes: int, rng: np.random.Generator):
        self.kv, self.lanes, self.rng = kv_format(kv_bits), lanes, rng
        self.cycles = []
        self.beats = {(row, beat): [None] * BEAT_BYTES for row in range(ROWS) for beat in range(BEATS)}
        self.scales = {(beat, head): [None] * SCALES_A_BEAT for beat in range(scale_beats(ROWS))
                       for head in range(HEADS)}
        self.outputs = {name: {} for name in ("beats", "tail", "beat", "scales")}  # by cycle

    def cycle(self, **given):
        self.cycles.append({"begin": 0, "row": 0, "within": 0, "i__valid": 0, "i_scale__valid": 0,
                            "i__payload": {"values": [0] * self.lanes, "last": 0}, "i_scale__payload": {"m": 0, "e": 0},
                            "read_row": 0, "read_beat": 0, "read_scales": 0, "read_head": 0, **given})

    def write_row(self, row: int, within: int, heads: int, words: int):
        """A row of heads of so many words, their scales somewhere beside them."""
        rng, steady = self.rng, {"row": row, "within": within}
        self.cycle(begin=1, **steady)
        beats = -(-words * self.kv.bytes_of(self.lanes) // BEAT_BYTES)
        levels = rng.integers(-self.kv.limit, self.kv.limit + 1, (heads, words * self.lanes))
        levels[0, :2] = self.kv.limit, -self.kv.limit
        scales = random_scalars(rng, heads, -140, 140)
        for head in range(heads):
            stored = self.kv.stored(levels[head])
            for n, byte in enumerate(stored):
                self.beats[row, head * beats + n // BEAT_BYTES][n % BEAT_BYTES] = int(byte)
            self.scales[within // SCALES_A_BEAT, head][within % SCALES_A_BEAT] = int(to_word(scales[head]))
            at = int(rng.integers(words))
            for word in range(words):
                while rng.random() < 0.2:
                    self.cycle(**steady)
                values = levels[head, word * self.lanes:(word + 1) * self.lanes]
                scale = {"i_scale__valid": 1, "i_scale__payload": as_fields(scales[head])} if word == at else {}
                self.cycle(i__valid=1, i__payload={"values": values, "last": int(word == words - 1)}, **scale, **steady)
            for name, value in (("beats", beats), ("tail", (1 << len(stored) - (beats - 1) * BEAT_BYTES) - 1)):
                self.outputs[name][len(self.cycles)] = value
        for _ in range(3):
            self.cycle(**steady)

    def read_all(self):
        """Every beat of values, and of scales, that is whole."""
        for kind, words, bits in (("beat", self.beats, 8), ("scales", self.scales, 32)):
            for (a, b), content in words.items():
                if None not in content:
                    self.outputs[kind][len(self.cycles) + KVStage.READ_LATENCY] = sum(
                        part << bits * n for n, part in enumerate(content))
                    self.cycle(**({"read_row": a, "read_beat": b} if kind == "beat" else
                                  {"read_scales": a, "read_head": b}))
        for _ in range(KVStage.READ_LATENCY):
            self.cycle()


@pytest.mark.parametrize(("kv_bits", "lanes"), [
    (8, 4), *(pytest.param(*other, marks=pytest.mark.slow) for other in ((16, 4), (8, 1), (16, 2)))])
def test_stage(kv_bits, lanes):
    """The most of everything; then one head, one word, a tail that leaves older bytes, scales in all their places."""
    story = Story(kv_bits, lanes, np.random.default_rng(kv_bits))
    whole = BEAT_BYTES // story.kv.bytes_of(lanes)  # words of a beat
    for first in range(SCALES_A_BEAT):
        for row in range(ROWS):
            story.write_row(row, first + row, HEADS, BEATS // HEADS * whole)
    story.read_all()
    for heads, words in ((1, 1), (3, whole + 1), (2, 2 * whole - 1), (1, 3 * whole)):
        for row in range(ROWS):
            story.write_row(row, 1 + row, heads, words)
        story.read_all()
    count = len(story.cycles)
    check_cycles(KVStage(kv_bits=kv_bits, rows=ROWS, heads=HEADS, beats=BEATS, lanes=lanes),
                 inputs={name: [cycle[name] for cycle in story.cycles] for name in story.cycles[0]},
                 outputs={name: [found.get(n) for n in range(count)] for name, found in story.outputs.items()})
