"""Descriptor lists of a program's passes, and the rule that their semaphores keep."""

import numpy as np

from host.compiler.program import Program
from models.machine.descriptor import DESCRIPTOR_BYTES, SEMAPHORES, unpack

__all__ = ["assert_semaphores_hold", "listed"]


def listed(program: Program, kind: str, rows: int, *parts):
    """Opcodes and fields of a pass, in order, as written into a memory at 0x1000."""
    memory = np.zeros(program.size, np.uint8)
    program.write(memory, 0x1000)
    item = program.get_pass(kind, rows, *parts)
    raw = memory[item.offset:item.offset + item.count * DESCRIPTOR_BYTES].tobytes()
    return [unpack(raw[i:i + DESCRIPTOR_BYTES]) for i in range(0, len(raw), DESCRIPTOR_BYTES)]


def assert_semaphores_hold(descriptors) -> None:
    """Every wait was signalled before, and no counter overflows."""
    counters = [0] * SEMAPHORES
    for opcode, fields in descriptors:
        for bit in range(SEMAPHORES):
            if fields["wait"] >> bit & 1:
                assert counters[bit] > 0, (opcode, bit)
                counters[bit] -= 1
        for bit in range(SEMAPHORES):
            counters[bit] += fields["signal"] >> bit & 1
            assert counters[bit] < 16
