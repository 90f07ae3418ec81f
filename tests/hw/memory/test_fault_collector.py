# amaranth: UnusedElaboratable=no
"""Fault collector: every set of masters that have a fault at once, with their clients' names."""

from __future__ import annotations

import pytest

from hw.memory.fault_collector import FaultCollector
from models.machine.registers import Client
from tests.hw.cycle_table import check_cycles

MASTERS = [(0, False, (Client.STREAM, Client.CACHE, Client.LOAD)), (3, False, (Client.STREAM, Client.CACHE)),
           (0, True, (Client.VECTOR, Client.HEAD))]
NOTHING = {"client": 0, "response": 0, "address": 0}


def test_the_first_is_told():
    faults = [[{"client": n % len(clients), "response": (0, 2, 3)[(n + k) % 3], "address": 2**39 + 16 * (3 * n + k)}
               for k, (_, _, clients) in enumerate(MASTERS)] for n in range(24)]
    sets = [n % 8 for n in range(24)]
    told = []
    for which, given in zip(sets, faults, strict=True):
        first = next((k for k in range(3) if which >> k & 1), None)
        if first is None:
            told.append(None)
            continue
        port, write, clients = MASTERS[first]
        told.append(given[first] | {"client": clients[given[first]["client"]], "port": port, "write": int(write)})
    inputs = {f"masters__{k}__faulty": [*(which >> k & 1 for which in sets), 0] for k in range(3)}
    inputs |= {f"masters__{k}__fault": [*(given[k] for given in faults), NOTHING] for k in range(3)}
    check_cycles(FaultCollector(MASTERS), inputs=inputs, outputs={
        "faulty": [0, *(int(fault is not None) for fault in told)], "fault": [None, *told]})


def test_there_is_a_master():
    with pytest.raises(ValueError, match="no masters"):
        FaultCollector([])
