"""From descriptors in memory to a checked list of operations.

Descriptors run in list order, which the program format guarantees to be a valid schedule; semaphores are
checked, not waited for.
"""

from __future__ import annotations

from host.emulator.image import ProgramError
from models.machine.descriptor import DESCRIPTOR_BYTES, SEMAPHORES, Opcode, unpack

__all__ = ["Operation", "decode"]

Operation = tuple[Opcode, dict[str, int]]


def decode(raw: bytes) -> list[Operation]:
    """Opcode and fields of each descriptor; `ProgramError` where the fabric would report an error."""
    semaphores = [0] * SEMAPHORES
    operations = []
    for index in range(len(raw) // DESCRIPTOR_BYTES):
        try:
            opcode, fields = unpack(raw[index * DESCRIPTOR_BYTES:(index + 1) * DESCRIPTOR_BYTES])
        except (ValueError, KeyError) as error:
            raise ProgramError(f"descriptor {index}: {error}") from None
        for bit in _bits(fields["wait"]):
            if not semaphores[bit]:
                raise ProgramError(f"descriptor {index} ({opcode.name}) waits for semaphore {bit}, given by no one")
            semaphores[bit] -= 1
        for bit in _bits(fields["signal"]):
            semaphores[bit] += 1
        operations.append((opcode, fields))
    return operations


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(SEMAPHORES) if mask >> bit & 1]
