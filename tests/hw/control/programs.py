"""Random programs that end: in list order every semaphore is given before it is taken."""

from __future__ import annotations

from random import Random

from models.machine.descriptor import OPCODES, SEMAPHORES, Engine, LoadTarget, Opcode, pack

__all__ = ["random_descriptor", "random_program"]

_ALIGNED = {(Opcode.STREAM, "address"): 256, (Opcode.STREAM, "beats"): 16, (Opcode.LOAD, "address"): 16,
            (Opcode.LOAD, "address_stride"): 16, (Opcode.STORE, "address"): 16, (Opcode.STORE, "steps"): 16}


def random_descriptor(random: Random, opcode: Opcode, *, wait: int = 0, signal: int = 0) -> bytes:
    """A well-formed descriptor, its other fields random."""
    fields = {}
    for field in OPCODES[opcode].fields:
        low, high = (-(1 << field.width - 1), 1 << field.width - 1) if field.signed else (0, 1 << field.width)
        unit = _ALIGNED.get((opcode, field.name), 1)
        fields[field.name] = random.randrange(low // unit, high // unit) * unit
    if opcode == Opcode.LOAD:
        fields["target"] = random.choice(list(LoadTarget))
    if opcode == Opcode.STREAM:  # listed rows are the head's and have beats
        fields["listed"] *= fields["head"] & (fields["row_beats"] != 0)
    if opcode == Opcode.LOGITS:
        fields["write_logits"] &= ~fields["listed"]
    return pack(opcode, wait=wait, signal=signal, **fields)


def random_program(random: Random, count: int) -> list[bytes]:
    """`count` descriptors. Each semaphore has one taking engine, several giving ones, and 15 gives at most."""
    taker = [random.choice(list(Engine)) for _ in range(SEMAPHORES)]
    tokens, given = [0] * SEMAPHORES, [0] * SEMAPHORES
    program = []
    for _ in range(count):
        opcode = random.choice(list(Opcode))
        wait = signal = 0
        for i in range(SEMAPHORES):
            if tokens[i] and taker[i] == OPCODES[opcode].engine and random.random() < 0.6:
                wait |= 1 << i
                tokens[i] -= 1
            if given[i] < 15 and random.random() < 0.2:
                signal |= 1 << i
                tokens[i] += 1
                given[i] += 1
        program.append(random_descriptor(random, opcode, wait=wait, signal=signal))
    return program
