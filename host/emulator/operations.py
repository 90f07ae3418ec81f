"""From descriptors in memory to a checked list of records.

Descriptors run in list order, which the program format guarantees to be a valid schedule; semaphores are
checked, not waited for.
"""

from __future__ import annotations

from host.emulator.image import ProgramError
from models.machine.descriptor import DESCRIPTOR_BYTES, SEMAPHORES, Descriptor, unpack

__all__ = ["decode"]


def decode(raw: bytes) -> list[Descriptor]:
    """The record of each descriptor; `ProgramError` where the fabric would report an error."""
    semaphores = [0] * SEMAPHORES
    descriptors = []
    for index in range(len(raw) // DESCRIPTOR_BYTES):
        try:
            descriptor = unpack(raw[index * DESCRIPTOR_BYTES:(index + 1) * DESCRIPTOR_BYTES])
        except (ValueError, KeyError) as error:
            raise ProgramError(f"descriptor {index}: {error}") from None
        for bit in _bits(descriptor.wait):
            if not semaphores[bit]:
                name = descriptor.opcode.name
                raise ProgramError(f"descriptor {index} ({name}) waits for semaphore {bit}, given by no one")
            semaphores[bit] -= 1
        for bit in _bits(descriptor.signal):
            semaphores[bit] += 1
        descriptors.append(descriptor)
    return descriptors


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(SEMAPHORES) if mask >> bit & 1]
