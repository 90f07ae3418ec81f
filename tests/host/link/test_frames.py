"""Frames against the definition in docs/link.md, whatever the bytes and however they come in pieces."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from host.link.frames import FrameReader, frame_of
from models.machine.link import MOST_FRAME

SMALL = b"\x01\x81\x34\x12\x02\x00"


def test_a_frame_is_what_the_protocol_says():
    body = b"\x7e\x7d\x00\x00\x01\x02"
    fcs = zlib.crc32(body).to_bytes(4, "little")
    assert not {0x7D, 0x7E} & set(fcs)
    assert frame_of(body) == b"\x7e\x7d\x5e\x7d\x5d\x00\x00\x01\x02" + fcs + b"\x7e"


@pytest.mark.parametrize("piece", [1, 7, 10**6])
def test_bodies_come_back_whatever_the_pieces(rng, piece):
    bodies = [rng.integers(0, 256, size, np.uint8).tobytes() for size in (6, 7, 300, MOST_FRAME)]
    bodies += [bytes((0x7D,)) * 40, bytes((0x7E,)) * 40]
    line, reader = b"".join(map(frame_of, bodies)), FrameReader()
    found = [body for n in range(0, len(line), piece) for body in reader.feed(line[n:n + piece])]
    assert found == bodies and reader.damaged == 0 and reader.taken == len(line)


def test_any_byte_may_be_escaped_and_a_flag_may_be_shared():
    frame = frame_of(SMALL)
    escaped = b"".join(bytes((0x7D, byte ^ 0x20)) for byte in SMALL + zlib.crc32(SMALL).to_bytes(4, "little"))
    assert FrameReader().feed(escaped + b"\x7e" + frame[1:]) == [SMALL, SMALL]


def test_what_is_damaged_is_dropped_and_counted(rng):
    reader = FrameReader()
    frame = frame_of(SMALL)
    for place in range(1, len(frame) - 1):
        flipped = bytearray(frame)
        flipped[place] ^= 1 << int(rng.integers(8))
        assert reader.feed(bytes(flipped) + frame)[-1:] == [SMALL]
    assert reader.damaged >= len(frame) - 4
    for wrong in (SMALL[:5], bytes(MOST_FRAME + 1)):  # too short, too long
        assert reader.feed(frame_of(wrong)) == []


def test_noise_without_end_is_not_kept(rng):
    reader = FrameReader()
    for _ in range(50):
        reader.feed(bytes(5000))
    assert len(reader._open) < 10_000
    assert reader.feed(frame_of(SMALL)) == [SMALL]
