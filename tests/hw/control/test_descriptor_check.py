# amaranth: UnusedElaboratable=no
"""Descriptor check: what each operation's fields may not be, one field at a time; every header there is."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.command import COMMAND_BITS
from hw.control.descriptor_check import malformed
from models.machine.descriptor import HEADER, OPCODES, LoadTarget, Opcode, pack
from tests.hw.cycle_table import check_cycles

# (opcode, fields that differ from zero, whether it is refused)
RULES = (
    (Opcode.STREAM, {}, 0), (Opcode.STREAM, {"address": 256, "beats": 16}, 0),
    (Opcode.STREAM, {"address": 2**40 - 256, "beats": 2**32 - 16}, 0),
    (Opcode.STREAM, {"address": 128}, 1), (Opcode.STREAM, {"address": 1}, 1), (Opcode.STREAM, {"beats": 8}, 1),
    (Opcode.STREAM, {"beats": 1}, 1), (Opcode.STREAM, {"listed": 4, "head": 1, "row_beats": 3}, 0),
    (Opcode.STREAM, {"listed": 128, "head": 0, "row_beats": 3}, 1),
    (Opcode.STREAM, {"listed": 1, "head": 1, "row_beats": 0}, 1), (Opcode.STREAM, {"head": 1, "padding": 15}, 0),
    (Opcode.LOGITS, {"listed": 1}, 0), (Opcode.LOGITS, {"write_logits": 1, "logits": 8}, 0),
    (Opcode.LOGITS, {"listed": 1, "write_logits": 1}, 1),
    *((Opcode.LOAD, {"target": target, "address": 16, "address_stride": 48}, 0) for target in LoadTarget),
    *((Opcode.LOAD, {"target": target}, 1) for target in range(max(LoadTarget) + 1, 16)),
    (Opcode.LOAD, {"address": 8}, 1), (Opcode.LOAD, {"address": 2**40 - 1}, 1), (Opcode.LOAD, {"bytes": 3}, 0),
    (Opcode.LOAD, {"address_stride": 1}, 1), (Opcode.LOAD, {"address_stride": 24}, 1),
    (Opcode.STORE, {"address": 32, "steps": 16}, 0), (Opcode.STORE, {"address": 33}, 1),
    (Opcode.STORE, {"steps": 8}, 1), (Opcode.STORE, {"steps": 2**40 - 16, "count": 3}, 0),
)


class Check(wiring.Component):
    """The check, a cycle later."""

    def __init__(self):
        super().__init__({"descriptor": In(COMMAND_BITS), "bad": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.d.sync += self.bad.eq(malformed(self.descriptor))
        return m


def _descriptor(opcode, **given):
    return int.from_bytes(pack(opcode, **{field.name: given.get(field.name, 0) for field in OPCODES[opcode].fields}),
                          "little")


def test_every_rule():
    rng = np.random.default_rng(1)
    descriptors, bad = [], []
    for opcode, given, refused in RULES:
        descriptors.append(_descriptor(opcode, **given))
        bad.append(refused)
    headers = sum((1 << field.width) - 1 << field.offset for field in HEADER[:2])
    for engine in range(16):
        for opcode in range(16):
            known = opcode in OPCODES and OPCODES[Opcode(opcode)].engine == engine
            descriptors.append(engine | opcode << 4 | int(rng.integers(1 << 32)) << 32)  # no fields but semaphores
            bad.append(int(not known))
    for opcode in Opcode:  # fields of other operations do not matter
        if opcode not in (Opcode.STREAM, Opcode.LOGITS, Opcode.LOAD, Opcode.STORE):
            noise = int.from_bytes(rng.bytes(64), "little") & ~headers
            descriptors.append(noise | _descriptor(opcode) & headers)
            bad.append(0)
    assert sum(bad) > 200
    descriptors.append(0)
    bad.append(0)
    check_cycles(Check(), inputs={"descriptor": descriptors}, outputs={"bad": [0, *bad[:-1]]})
