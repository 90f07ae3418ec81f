# amaranth: UnusedElaboratable=no
"""Descriptor check: what each operation's fields may not be, one field at a time; every header there is."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.boards.registry import BUILDS
from hw.command import COMMAND_BITS
from hw.control.descriptor_check import faults_of
from models.machine.descriptor import HEADER, OPCODES, LoadTarget, Opcode
from models.machine.descriptor_rules import field_rules
from tests.hw.control.programs import random_descriptor
from tests.hw.cycle_table import check_cycles

# fields of a good descriptor of the KV260 that differ, and whether it is refused
RULES = (
    (Opcode.STREAM, {"address": 0, "beats": 0}, 0), (Opcode.STREAM, {"address": 256, "beats": 16}, 0),
    (Opcode.STREAM, {"address": 2**40 - 256, "beats": 2**32 - 16}, 0),
    (Opcode.STREAM, {"address": 128}, 1), (Opcode.STREAM, {"address": 1}, 1), (Opcode.STREAM, {"beats": 8}, 1),
    (Opcode.STREAM, {"beats": 1}, 1), (Opcode.STREAM, {"listed": 4, "head": 1, "row_beats": 3}, 0),
    (Opcode.STREAM, {"listed": 64, "head": 0, "row_beats": 3}, 1),
    (Opcode.STREAM, {"listed": 65, "head": 1, "row_beats": 3}, 1),
    (Opcode.STREAM, {"listed": 64, "head": 1, "row_beats": 40, "row": 15}, 0), (Opcode.STREAM, {"row": 16}, 1),
    (Opcode.STREAM, {"row_beats": 41}, 1),
    (Opcode.STREAM, {"listed": 1, "head": 1, "row_beats": 0}, 1), (Opcode.STREAM, {"head": 1, "padding": 15}, 0),
    (Opcode.LOGITS, {"listed": 1, "write_logits": 0}, 0), (Opcode.LOGITS, {"write_logits": 1, "listed": 0}, 0),
    (Opcode.LOGITS, {"listed": 1, "write_logits": 1}, 1), (Opcode.LOGITS, {"grouped": 1}, 1),
    (Opcode.LOGITS, {"logits": 8}, 1), (Opcode.LOGITS, {"top": 8}, 1), (Opcode.LOGITS, {"rows": 2}, 1),
    (Opcode.LOGITS, {"k": 64}, 0), (Opcode.LOGITS, {"k": 65}, 1), (Opcode.LOGITS, {"k": 0}, 1),
    (Opcode.LOGITS, {"vocab": 0}, 1), (Opcode.LOGITS, {"count": 2560}, 0), (Opcode.LOGITS, {"count": 2564}, 1),
    *((Opcode.LOAD, {"target": target, "address": 16, "address_stride": 48}, 0) for target in LoadTarget),
    *((Opcode.LOAD, {"target": target}, 1) for target in range(max(LoadTarget) + 1, 16)),
    (Opcode.LOAD, {"address": 8}, 1), (Opcode.LOAD, {"address": 2**40 - 1}, 1), (Opcode.LOAD, {"bytes": 3}, 0),
    (Opcode.LOAD, {"address_stride": 1}, 1), (Opcode.LOAD, {"address_stride": 24}, 1), (Opcode.LOAD, {"row": 16}, 1),
    (Opcode.STORE, {"address": 32, "steps": 16}, 0), (Opcode.STORE, {"address": 33}, 1),
    (Opcode.STORE, {"steps": 8}, 1), (Opcode.STORE, {"steps": 2**40 - 16}, 0), (Opcode.STORE, {"count": 3}, 1),
    (Opcode.STORE, {"source": 3}, 1), (Opcode.NORM, {"source": 3}, 1), (Opcode.NORM, {"count": 0}, 1),
    (Opcode.NORM, {"count": 8192}, 0), (Opcode.NORM, {"count": 8196}, 1), (Opcode.RESIDUAL, {"count": 8192}, 1),
    (Opcode.MATMUL, {"grouped": 1}, 1), (Opcode.MATMUL, {"batches": 2}, 0), (Opcode.MATMUL, {"batches": 3}, 1),
    (Opcode.MATMUL, {"batches": 0}, 1), (Opcode.MATMUL, {"tiles": 0}, 1), (Opcode.MATMUL, {"outputs": 0}, 1),
    *((opcode, {"normed": 1}, 1) for opcode in (Opcode.QUERY, Opcode.KEY)),
    *((opcode, change, 1) for opcode in (Opcode.QUERY, Opcode.KEY, Opcode.VALUE, Opcode.ATTEND) for change in (
        {"heads": 0}, {"heads": 33}, {"heads": 237}, {"dim": 0}, {"dim": 12}, {"dim": 264})),
    *((opcode, {name: 8}, 1) for opcode in (Opcode.KEY, Opcode.VALUE) for name in (
        "address", "address_stride", "head_bytes", "region_bytes", "block_bytes", "scale_address",
        "scale_block_bytes")),
    *((opcode, {"address": address}, 1) for opcode in (Opcode.KEY, Opcode.VALUE) for address in (0x31, 2**39 + 1)),
    *((Opcode.ATTEND, {name: 512}, 1) for name in ("key_scales", "values", "head_bytes", "region_bytes")),
    *((Opcode.ATTEND, {name: 1024}, 0) for name in ("key_scales", "values", "head_bytes", "region_bytes")),
    (Opcode.ATTEND, {"kv_heads": 0}, 1), (Opcode.ATTEND, {"row_bytes": 24}, 1), (Opcode.ATTEND, {"block_bytes": 8}, 1),
    *((opcode, change, refused) for opcode in (
        Opcode.MATMUL, Opcode.NORM, Opcode.QUERY, Opcode.KEY, Opcode.VALUE, Opcode.RESIDUAL, Opcode.ATTEND,
        Opcode.SELECT, Opcode.STORE) for change, refused in (
            ({"rows": 16, "first_row": 0}, 0), ({"rows": 1, "first_row": 15}, 0), ({"rows": 0, "first_row": 0}, 1),
            ({"rows": 1, "first_row": 16}, 1), ({"rows": 17, "first_row": 0}, 1), ({"rows": 9, "first_row": 8}, 1),
            ({"rows": 255, "first_row": 255}, 1), ({"rows": 1, "first_row": 255}, 1))),
    (Opcode.SELECT, {"count": 0}, 1), (Opcode.SELECT, {"k": 64}, 0), (Opcode.SELECT, {"k": 65}, 1),
)


class Check(wiring.Component):
    """The check, a cycle later."""

    def __init__(self, build):
        self._build = build
        super().__init__({"descriptor": In(COMMAND_BITS), "bad": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.d.sync += self.bad.eq(faults_of(self.descriptor, self._build).any())
        return m


def _edges(build):
    """Each field of the table on both sides of its limits, and each bit below its unit: fields and what is due."""
    for opcode, rules in field_rules(BUILDS[build]).items():
        widths = {field.name: field.width for field in OPCODES[opcode].fields}
        for name, rule in rules.items():
            good, bad = [rule.least], [1 << bit for bit in range(rule.unit.bit_length() - 1)]
            if rule.least:
                bad.append(rule.least - 1)
            if rule.most is not None:
                good.append(rule.most // rule.unit * rule.unit)
                bad += [value for value in (rule.most + 1, (1 << widths[name]) - 1)
                        if rule.most < value < 1 << widths[name]]
            other = {} if rule.behind is None else {rule.behind: 0}
            yield from ((opcode, {name: value, **other}, 0) for value in good)
            yield from ((opcode, {name: value, **other}, 1) for value in bad)


@pytest.mark.parametrize("build", ["kv260", "sim-tiny"])
def test_every_rule(build):
    rng, random = np.random.default_rng(1), Random(1)
    descriptors, bad = [], []

    def add(descriptor, refused):
        descriptors.append(int.from_bytes(descriptor, "little"))
        bad.append(refused)

    for opcode, given, refused in (*_edges(build), *(RULES if build == "kv260" else ())):
        if opcode == Opcode.STREAM and "listed" not in given:
            given = given | {"listed": 0}
        if opcode == Opcode.STREAM and given["listed"]:
            given = {"head": 1, "row_beats": 1} | given
        if opcode == Opcode.LOGITS and not {"listed", "write_logits"} <= given.keys():
            given = {"listed": 0} | given
        add(random_descriptor(random, opcode, build=build, **given), refused)
    for opcode in Opcode:
        for _ in range(40):
            add(random_descriptor(random, opcode, wait=random.getrandbits(16), build=build), 0)
    headers = sum((1 << field.width) - 1 << field.offset for field in HEADER[:2])
    for opcode in Opcode:
        good = int.from_bytes(random_descriptor(random, opcode, build=build), "little") & ~headers
        for engine in range(16):
            for other in range(16) if opcode == Opcode.STREAM else (opcode,):
                known = other in OPCODES and OPCODES[Opcode(other)].engine == engine
                if known and other != opcode:
                    continue
                descriptors.append(good | engine | other << 4 | int(rng.integers(1 << 32)) << 32)
                bad.append(int(not known))
    assert sum(bad) > 300 and bad.count(0) > 400
    descriptors.append(descriptors[0])
    bad.append(bad[0])
    check_cycles(Check(BUILDS[build]), inputs={"descriptor": descriptors}, outputs={"bad": [0, *bad[:-1]]})
