# amaranth: UnusedElaboratable=no
"""CRC-32 against zlib."""

from __future__ import annotations

import zlib

import numpy as np

from hw.link.crc32 import Crc32
from tests.hw.link.simulated import watch


def test_sums_and_their_ends_are_those_of_zlib():
    rng = np.random.default_rng(1)
    for data in (b"", b"\x00", b"123456789", bytes(40), b"\xff" * 8, rng.bytes(100)):
        whole = data + zlib.crc32(data).to_bytes(4, "little")
        cycles = [{"enable": 1, "byte": 0xA5}, {"enable": 0, "clear": 1}, {"clear": 0}]  # what was before is forgotten
        for byte in whole:
            cycles += [{"enable": 1, "byte": byte}, {"enable": 0, "byte": 0x5A}]
        seen = watch(Crc32(), [*cycles, {}], ("sum", "matches"))
        assert seen[3 + 2 * len(data)]["sum"] == zlib.crc32(data)
        assert seen[-1]["matches"]
        ends = [n >= 4 and zlib.crc32(whole[:n - 4]).to_bytes(4, "little") == whole[n - 4:n] for n in range(len(whole))]
        assert [now["matches"] for now in seen[3:-2:2]] == ends
