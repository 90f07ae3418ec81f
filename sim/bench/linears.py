"""A pass' linear layers alone: its STREAM and MATMUL descriptors, with activations taken as present.

One NORM loads int8 activations first; the first STREAM and the first MATMUL wait for it, so that the weight stream
begins where it is timed from. Matrices, their order and the prefetcher's lead are the pass' own; nothing waits for
anything else.
"""

from __future__ import annotations

from host.compiler.descriptor_list import Semaphore
from host.compiler.rows import Part
from host.compiler.schedule import Schedule
from host.runtime import Session
from models.machine.descriptor import LoadTarget, Opcode, unpack

__all__ = ["linears_program"]

_STREAM_MAY, _MATMUL_MAY = 1 << Semaphore.HEAD_READY, 1 << Semaphore.ACTIVATIONS_READY  # one waiting engine each


def linears_program(session: Session, rows: int) -> list[bytes]:
    """Descriptors that stream and multiply every matrix of the session's model once, for `rows` rows in one group."""
    schedule = Schedule(session.model, session.device.build, session.program.memory, session.buffer.address,
                        (Part(0, rows),), {}, head_from=None, group_rows=rows)
    result: list[bytes] = []
    waits = {Opcode.STREAM: _STREAM_MAY, Opcode.MATMUL: _MATMUL_MAY}  # of the first of each
    before_norm = True
    for descriptor in schedule.emit()[0].descriptors:
        fields = unpack(descriptor)
        opcode = fields.opcode
        if opcode in (Opcode.STREAM, Opcode.MATMUL):
            result.append(fields.packed(wait=waits.pop(opcode, 0), signal=0))
        elif before_norm and opcode == Opcode.NORM:
            before_norm = False
            result.append(fields.packed(signal=_STREAM_MAY | _MATMUL_MAY))
        elif before_norm and (opcode != Opcode.LOAD or fields.target != LoadTarget.ROPE):
            result.append(descriptor)
    return result
