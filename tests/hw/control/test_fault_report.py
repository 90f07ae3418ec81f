# amaranth: UnusedElaboratable=no
"""Fault report: what it keeps of a failure, of the memory or not, and when it forgets it."""

from __future__ import annotations

from hw.control.fault_report import FaultReport
from models.machine.registers import Client, Fault
from tests.hw.cycle_table import check_cycles

FLAGS = ("begin", "busy", "fetched", "failing", "faulty")
READ = {"client": Client.CACHE, "port": 3, "write": 0, "response": 0, "address": 0xAB_CDEF_0120}
WRITE = {"client": Client.HEAD, "port": 0, "write": 1, "response": 3, "address": 0x100}
NONE = {"client": 0, "port": 0, "write": 0, "response": 0, "address": 0}
READ_WORD, WRITE_WORD = Fault(Client.CACHE, 3, 0, 0).word, Fault(Client.HEAD, 0, 1, 3).word

# inputs that are high, the fault, and what the registers then say, a cycle later
STORY = (
    ("fetched failing", READ, (0, 0, 0)), ("begin", NONE, (0, 0, 0)), ("busy fetched", NONE, (0, 0, 0)),
    ("busy faulty", READ, (0, 0, 0)), ("busy fetched", NONE, (0, 0, 1)), ("busy fetched", NONE, (0, 0, 2)),
    ("busy fetched failing faulty", READ, (READ_WORD, READ["address"], 3)),
    ("fetched faulty", WRITE, (READ_WORD, READ["address"], 3)), ("begin", NONE, (0, 0, 0)),
    ("busy failing faulty", WRITE, (WRITE_WORD, 0, 0)), ("begin", NONE, (0, 0, 0)), ("busy fetched", NONE, (0, 0, 0)),
    ("busy fetched", NONE, (0, 0, 1)), ("busy failing", READ, (0, 0, 1)), ("", NONE, (0, 0, 1)))


def test_story():
    assert READ_WORD == 2 | 3 << 8 and Fault.of(WRITE_WORD) == (Client.HEAD, 0, 1, 3)
    inputs = {name: [*(int(name in high.split()) for high, _, _ in STORY), 0] for name in FLAGS}
    outputs = zip(*((0, 0, 0), *(said for _, _, said in STORY)), strict=True)
    check_cycles(FaultReport(), inputs=inputs | {"fault": [*(fault for _, fault, _ in STORY), NONE]},
                 outputs=dict(zip(("report", "address", "descriptor"), outputs, strict=True)))
