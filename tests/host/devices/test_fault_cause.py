"""Each error code in words, with what FAULT says."""

from __future__ import annotations

import pytest

from host.devices.fault_cause import fault_cause
from models.machine.registers import Client, Fault, Status

BUFFER = {"BASE": 0x1000, "LIMIT": 0x2000}


def cause(code, fault=(0, 0, 0, 0), **registers):
    found = {"STATUS": Status.DONE | Status.ERROR | code << 8, "FAULT": Fault(*fault).word} | registers
    return fault_cause(found.__getitem__)


@pytest.mark.parametrize("code, fault, registers, words", [
    (Status.ERROR_AXI, (Client.LOAD, 3, 0, 2), {}, "a memory access was refused: LOAD's read on port 3 got SLVERR"),
    (Status.ERROR_AXI, (Client.HEAD, 0, 1, 3), {}, "a memory access was refused: HEAD's write on port 0 got DECERR"),
    (Status.ERROR_DESCRIPTOR, (0, 0, 0, 0), {"FAULT_DESCRIPTOR": 41}, "a bad descriptor: number 41 of its program"),
    (Status.ERROR_WATCHDOG, (0, 0, 0, 0), {"WATCHDOG": 900}, "the watchdog expired: nothing was done for 900 cycles"),
    (Status.ERROR_OUTSIDE, (Client.VECTOR, 1, 1, 0), {"FAULT_ADDRESS_LOW": 0x40, "FAULT_ADDRESS_HIGH": 2, **BUFFER},
     "VECTOR wrote outside the buffer at 0x200000040, port 1 (the buffer is 0x100000 to 0x200000)"),
    (Status.ERROR_OUTSIDE, (Client.CACHE, 2, 0, 0), {"FAULT_ADDRESS_LOW": 0, "FAULT_ADDRESS_HIGH": 0, **BUFFER},
     "ATTEND read outside the buffer at 0x0, port 2 (the buffer is 0x100000 to 0x200000)"),
    (Status.ERROR_OUTSIDE, (Client.PROGRAM, 0, 0, 0), {"FAULT_ADDRESS_LOW": 0, "FAULT_ADDRESS_HIGH": 0, "LIMIT": 0},
     "it was reset since its memory was set up"),
    (Status.ERROR_ABORTED, (0, 0, 0, 0), {}, "it was aborted"),
    (Status.ERROR_BUSY, (0, 0, 0, 0), {}, "it was started while it was busy"),
    (77, (0, 0, 0, 0), {}, "error 77, which this runtime does not know"),
    (Status.ERROR_AXI, (9, 0, 0, 2), {}, "a memory access was refused: client 9's read on port 0 got SLVERR"),
])
def test_the_cause_is_told(code, fault, registers, words):
    assert cause(code, fault, **registers) == words
