"""Slices of a beat: what a build multiplies in a cycle, and every beat in its slices, in order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw.attention.slices import BeatSlices, Slicing, slicing
from hw.boards.registry import BUILDS
from tests.hw.stream_table import Case, check

BUILD = BUILDS["sim-tiny"]


@pytest.mark.parametrize(("ports", "kv_bits", "word", "expected"), [
    (4, 8, 16, Slicing(256, 2, 1, 32)), (2, 8, 16, Slicing(256, 1, 1, 32)), (1, 8, 16, Slicing(128, 1, 1, 16)),
    (2, 8, 8, Slicing(64, 1, 4, 32)), (1, 8, 8, Slicing(64, 1, 2, 16)), (1, 8, 4, Slicing(32, 1, 4, 16)),
    (1, 16, 8, Slicing(128, 1, 1, 8)), (1, 16, 4, Slicing(64, 1, 2, 8))])
def test_slices_of_a_build(ports, kv_bits, word, expected):
    assert slicing(replace(BUILD, ports=ports, kv_bits=kv_bits, query_word=word)) == expected


def test_every_slice_in_order():
    rng = np.random.default_rng(1)
    beats = [int.from_bytes(rng.bytes(16), "little") for _ in range(40)]
    slices = [beat >> 32 * n & 0xFFFFFFFF for beat in beats for n in range(4)]
    check(BeatSlices(32, 4), [Case("beats", inputs={"i": beats}, outputs={"o": slices})])
