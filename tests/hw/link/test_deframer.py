# amaranth: UnusedElaboratable=no
"""Deframer against frames made with zlib: good ones, and each way to be none."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from hw.link.deframer import Deframer
from tests.hw.link.frames import bodies, framed
from tests.hw.link.simulated import watch

LEAST, MOST = 3, 9
BROKEN = 1 << 8  # marks a byte without a stop bit


def deframed(line) -> list[bytes | None]:
    """The body of each good frame, None for each damaged one. line: bytes, with `BROKEN` added to some."""
    cycles = [cycle for byte in line for cycle in (
        {"byte": byte & 255, "valid": 1, "broken": byte >> 8}, {"valid": 0, "broken": 1, "byte": 0x7E})]
    found, body, inside = [], bytearray(), False
    for now in watch(Deframer(LEAST, MOST), [*cycles, {}, {}],
                     ("begin", "store", "place", "data", "end", "good", "length")):
        if now["begin"]:
            assert not inside
            inside, body = True, bytearray()
        if now["store"]:
            assert inside and now["place"] == len(body)
            body.append(now["data"])
        if now["end"]:
            assert inside and (not now["good"] or now["length"] == len(body) - 4)
            inside = False
            found.append(bytes(body[:-4]) if now["good"] else None)
        assert len(body) <= MOST + 4
    return found


def test_good_frames_arrive():
    rng = np.random.default_rng(1)
    given = [rng.bytes(rng.integers(LEAST, MOST + 1)) for _ in range(60)]
    given += [bytes(rng.choice([0x7D, 0x7E, 0x5D, 0x5E], MOST).tolist()) for _ in range(20)]
    assert deframed(b"".join(map(framed, given))) == given


def test_one_flag_between_frames_is_enough_and_empty_ones_are_none():
    first, second = framed(b"first"), framed(b"second")
    assert deframed(first + second[1:]) == [b"first", b"second"]
    assert deframed(b"\x7e" * 5 + first + b"\x7e" * 3) == [b"first"]


def test_any_byte_may_be_escaped():
    body = b"\x7d]abc"
    plain = body + zlib.crc32(body).to_bytes(4, "little")
    assert deframed(b"\x7e" + b"".join(bytes([0x7D, byte ^ 0x20]) for byte in plain) + b"\x7e") == [body]


@pytest.mark.parametrize("what, line", {
    "a byte without its escape": framed(b"ab}c").replace(b"\x7d\x5d", b"\x5d", 1),
    "a body too short": framed(b"ab"),
    "a body too long": framed(bytes(MOST + 1)),
    "a body much too long": framed(bytes(5 * MOST)),
    "less than an FCS": b"\x7eabc\x7e",
    "an FCS alone": framed(b""),
    "an escape before the flag": framed(b"abcd")[:-1] + b"\x7d\x7e",
    "no stop bit": [*framed(b"abcd")[:3], BROKEN | 0x62, *framed(b"abcd")[4:]],
    "a further byte without a stop bit": [*framed(b"abcd")[:3], BROKEN | 0x7E, *framed(b"abcd")[3:]],
    "the FCS in the other order": b"\x7eabcd" + zlib.crc32(b"abcd").to_bytes(4, "big") + b"\x7e",
}.items(), ids=lambda given: given if isinstance(given, str) else "")
def test_a_damaged_frame_is_told_and_harms_no_other(what, line):
    around = framed(b"before"), framed(b"behind")
    assert deframed([*around[0], *line, *around[1]]) == [b"before", None, b"behind"]


def test_each_flipped_bit_is_seen():
    good, behind, line = framed(b"0}~8"), framed(b"ABC"), bytearray()
    for place in range(8 * len(good)):
        flipped = bytearray(good)
        flipped[place // 8] ^= 1 << place % 8
        line += flipped + behind
    found = deframed(line)
    assert set(found) == {None, b"ABC"} and found.count(b"ABC") == 8 * len(good)


def test_as_the_reference_says_for_any_line():
    """Flags, escapes and pieces of good frames in any order."""
    rng = np.random.default_rng(2)
    line = bytearray()
    for _ in range(250):
        good = framed(rng.bytes(rng.integers(LEAST - 1, MOST + 3)))
        cut = sorted(rng.integers(0, len(good) + 1, 2)) if rng.random() < 0.5 else (0, len(good))
        line += good[cut[0]:cut[1]] + bytes(rng.choice([0x7D, 0x7E, 0x20, 0x5E], rng.integers(0, 3)).tolist())
    line += b"\x7e"
    expected = [body if body is None or LEAST <= len(body) <= MOST else None for body in bodies(bytes(line))]
    assert expected.count(None) > 50 and len(expected) - expected.count(None) > 60
    assert deframed(line) == expected
