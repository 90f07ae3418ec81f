# amaranth: UnusedElaboratable=no
"""Framer against frames made with zlib."""

from __future__ import annotations

import numpy as np

from hw.link.framer import Framer
from tests.hw.link.frames import framed
from tests.hw.stream_table import Case, check


def _case(name: str, *given: bytes) -> Case:
    return Case(name, inputs={"i": [{"byte": byte, "last": n == len(body) - 1}
                                    for body in given for n, byte in enumerate(body)]},
                outputs={"o": list(b"".join(map(framed, given)))})


def test_bodies_are_framed():
    rng = np.random.default_rng(1)
    special = [bytes(rng.choice([0x7D, 0x7E, 0x5D, 0x5E, 0], 40).tolist()) for _ in range(10)]
    check(Framer(), [
        _case("one byte", b"a"), _case("all bytes", bytes(range(256))), _case("two bodies", b"first", b"second"),
        _case("flags and escapes in the body", *special),
        # the FCS of some has flags and escapes, too
        _case("many", *(rng.bytes(rng.integers(1, 8)) for _ in range(100)))])
