# amaranth: UnusedElaboratable=no
"""Sequencer: programs of all operations, of one descriptor and of none, and what it refuses."""

from __future__ import annotations

from random import Random

import pytest

from hw.boards.registry import BUILDS
from hw.control.sequencer import Sequencer
from models.machine.descriptor import Opcode
from sim.runner import run_bench
from tests.hw.control.programs import random_descriptor


def _descriptor(random, opcode, build, **given):
    """Random semaphores, and random fields but for those given."""
    wait, signal = random.getrandbits(16), random.getrandbits(16)
    return int.from_bytes(random_descriptor(random, opcode, wait=wait, signal=signal, build=build, **given), "little")


def _program(descriptors, address=64, *, good=None, asked=1, **more):
    """good: descriptors before the first that is refused; asked: whether memory is asked for the program."""
    return {"descriptors": descriptors, "address": address, "asked": asked,
            "good": len(descriptors) if good is None else good, **more}


@pytest.mark.parametrize(("build", "transfers"), [("kv260", 1), ("ulx3s", 4)])
def test_bench(build, transfers):
    random = Random(1)
    some = [_descriptor(random, opcode, build) for opcode in Opcode]
    many = [_descriptor(random, random.choice(list(Opcode)), build) for _ in range(40)]
    misaligned = _descriptor(random, Opcode.STREAM, build, address=8)
    unknown = some[3] & ~255 | 0xF3
    run_bench(Sequencer(BUILDS[build]), "tests.hw.control.sequencer_bench", {"transfers": transfers, "programs": [
        _program(some, 2**40 - 64 * len(some)), _program([]), _program(some[:1], 0), _program(many, 1 << 20),
        _program([unknown], good=0), _program([some[2], some[5], misaligned], good=2),
        _program([], 96, good=0, asked=0, count=2), _program(some[::-1]),
        _program([], good=0, asked=0, count=2**26), _program([some[4]] * 3),
        _program([some[1], unknown, some[2], some[4]], good=1)]})
