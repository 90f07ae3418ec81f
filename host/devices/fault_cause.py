"""Why a run ended with an error, in words, from the device's registers."""

from __future__ import annotations

from collections.abc import Callable

from models.machine.registers import LIMIT_BYTES, Client, Fault, Status

__all__ = ["fault_cause"]

_NAMES: dict[int, str] = {
    Client.STREAM: "FETCH",
    Client.CACHE: "ATTEND",
    Client.LOAD: "LOAD",
    Client.PROGRAM: "the sequencer",
    Client.VECTOR: "VECTOR",
    Client.HEAD: "HEAD",
}
_RESPONSES = {2: "SLVERR", 3: "DECERR"}


def fault_cause(get: Callable[[str], int]) -> str:
    """What STATUS and FAULT say of the last run. get: a register by name; nothing may have been acknowledged since."""
    status, fault = get("STATUS"), Fault.of(get("FAULT"))
    code = status >> 8 & 255
    who = _NAMES.get(fault.client, f"client {fault.client}")
    did, noun = ("wrote", "write") if fault.write else ("read", "read")
    if code == Status.ERROR_AXI:
        answer = _RESPONSES.get(fault.response, f"response {fault.response}")
        return f"a memory access was refused: {who}'s {noun} on port {fault.port} got {answer}"
    if code == Status.ERROR_DESCRIPTOR:
        return f"a bad descriptor: number {get('FAULT_DESCRIPTOR')} of its program"
    if code == Status.ERROR_WATCHDOG:
        return f"the watchdog expired: nothing was done for {get('WATCHDOG')} cycles"
    if code == Status.ERROR_OUTSIDE:
        address = get("FAULT_ADDRESS_LOW") | get("FAULT_ADDRESS_HIGH") << 32
        if not get("LIMIT"):
            return "it was reset since its memory was set up"
        return (f"{who} {did} outside the buffer at {address:#x}, port {fault.port} (the buffer is "
                f"{get('BASE') * LIMIT_BYTES:#x} to {get('LIMIT') * LIMIT_BYTES:#x})")
    if code == Status.ERROR_ABORTED:
        return "it was aborted"
    if code == Status.ERROR_BUSY:
        return "it was started while it was busy"
    return f"error {code}, which this runtime does not know"
