# amaranth: UnusedElaboratable=no
"""Sequencer: programs of all operations, of one descriptor and of none, and what it refuses."""

from __future__ import annotations

import numpy as np

from hw.control.sequencer import Sequencer
from models.machine.descriptor import OPCODES, Opcode, pack
from sim.runner import run_bench


def _descriptor(rng, opcode, **given):
    """Random semaphores, and fields of zero but for those given."""
    fields = {field.name: given.get(field.name, 0) for field in OPCODES[opcode].fields}
    wait, signal = (int(rng.integers(1 << 16)) for _ in range(2))
    return int.from_bytes(pack(opcode, wait=wait, signal=signal, **fields), "little")


def _program(descriptors, address=64, *, good=None, asked=1, **more):
    """good: descriptors before the first that is refused; asked: whether memory is asked for the program."""
    return {"descriptors": descriptors, "address": address, "asked": asked,
            "good": len(descriptors) if good is None else good, **more}


def test_bench():
    rng = np.random.default_rng(1)
    some = [_descriptor(rng, opcode) for opcode in Opcode]
    many = [_descriptor(rng, Opcode(int(opcode)), rows=int(rng.integers(256)))
            for opcode in rng.choice([op for op in Opcode if any(f.name == "rows" for f in OPCODES[op].fields)], 40)]
    misaligned = _descriptor(rng, Opcode.STREAM, address=8)
    unknown = some[3] & ~255 | 0xF3
    run_bench(Sequencer(), "tests.hw.control.sequencer_bench", {"programs": [
        _program(some, 2**40 - 64 * len(some)), _program([]), _program(some[:1], 0), _program(many, 1 << 20),
        _program([unknown], good=0), _program([some[2], some[5], misaligned], good=2),
        _program([], 96, good=0, asked=0, count=2), _program(some[::-1]),
        _program([], good=0, asked=0, count=2**26), _program([some[4]] * 3),
        _program([some[1], unknown, some[2], some[4]], good=1)]})
