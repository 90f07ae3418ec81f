"""A pass' linear layers alone: its STREAM and MATMUL descriptors, with activations taken as present.

One NORM loads int8 activations first, and the first STREAM waits for it, so that the weight stream begins where it
is timed from. Matrices, their order and the prefetcher's lead are the pass' own; nothing waits for anything else.
"""

from __future__ import annotations

from host.compiler.schedule import Schedule, Semaphore
from host.runtime import Session
from models.machine.descriptor import LoadTarget, Opcode, pack, unpack

__all__ = ["linears_program"]

_DERIVED = ("engine", "opcode")  # `pack` fills them in


def linears_program(session: Session, rows: int) -> list[bytes]:
    """Descriptors that stream and multiply every matrix of the session's model once, for `rows` rows."""
    schedule = Schedule(session.model, session.device.build, session.program.memory, session.buffer.address, rows, {},
                        head=False)
    ready = 1 << Semaphore.ACTIVATIONS_READY
    result, first_norm, first_stream = [], True, True
    for descriptor in schedule.emit():
        opcode, fields = unpack(descriptor)
        fields = {name: value for name, value in fields.items() if name not in _DERIVED}
        if opcode == Opcode.NORM and first_norm:
            first_norm = False
            result.append(pack(opcode, **{**fields, "signal": ready}))
        elif opcode == Opcode.LOAD and first_norm and fields["target"] != LoadTarget.ROPE:
            result.append(descriptor)
        elif opcode == Opcode.STREAM:
            result.append(pack(opcode, **{**fields, "wait": ready if first_stream else 0}))
            first_stream = False
        elif opcode == Opcode.MATMUL:
            result.append(pack(opcode, **{**fields, "wait": 0, "signal": 0}))
    return result
