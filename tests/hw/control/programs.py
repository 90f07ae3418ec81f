"""Random programs that end: in list order every semaphore is given before it is taken."""

from __future__ import annotations

from random import Random

from hw.boards.registry import BUILDS
from models.machine.descriptor import OPCODES, SEMAPHORES, Engine, Opcode, pack
from models.machine.descriptor_rules import field_rules

__all__ = ["random_descriptor", "random_program"]


def random_descriptor(random: Random, opcode: Opcode, *, wait: int = 0, signal: int = 0, build: str = "sim-tiny",
                      **given: int) -> bytes:
    """A well-formed descriptor for a build, its fields random but for those given."""
    fields, rules = {}, field_rules(BUILDS[build])[opcode]
    for field in OPCODES[opcode].fields:
        low, high = (-(1 << field.width - 1), 1 << field.width - 1) if field.signed else (0, 1 << field.width)
        if (rule := rules.get(field.name)) is not None:
            low, high = max(low, rule.least), high if rule.most is None else rule.most + 1
        unit = 1 if rule is None else rule.unit
        fields[field.name] = random.randrange(-(-low // unit), -(-high // unit)) * unit
    if "first_row" in fields and "first_row" not in rules:
        fields["first_row"] = random.randrange(rules["rows"].most - fields["rows"] + 1)
    if opcode == Opcode.STREAM:  # listed rows are the head's and have beats
        fields["listed"] *= fields["head"] & (fields["row_beats"] != 0)
    if opcode == Opcode.LOGITS:
        fields["write_logits"] &= ~fields["listed"]
    return pack(opcode, wait=wait, signal=signal, **{**fields, **given})


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
