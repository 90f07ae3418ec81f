"""Descriptor check: what the sequencer refuses to hand to an engine."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Value
from amaranth.lib import data

from hw.command import HEADER_LAYOUT, command_layout
from models.machine.build import BuildParameters
from models.machine.descriptor import OPCODES, Opcode
from models.machine.descriptor_rules import FieldRule, field_rules

__all__ = ["faults_of"]


def _breaks(command: data.View, name: str, rule: FieldRule) -> Value:
    """Whether a field of a command breaks its rule."""
    value = getattr(command, name)
    broken = value[:(rule.unit - 1).bit_length()].any()
    if rule.least == 1:
        broken = broken | ~value.any()
    elif rule.least:
        broken = broken | (value < rule.least)
    if rule.behind is not None:
        broken = broken | (value + getattr(command, rule.behind) > rule.most)
    elif rule.most == 0:
        broken = broken | value.any()
    elif rule.most is not None:
        broken = broken | (value > rule.most)
    return broken


def faults_of(descriptor: Value, build: BuildParameters) -> Value:
    """Bits of which one is high where a descriptor has an unknown opcode, another engine's opcode, or fields against
    `models.machine.descriptor_rules`; none for a good one.

    Beside these, of STREAM listed rows are the head's and have beats, and LOGITS of such rows are not written.
    Combinational; a bit an operation, and one for all unknown ones, so that they may be or-ed a cycle later.
    """
    header = data.View(HEADER_LAYOUT, descriptor)
    rules, faults, known = field_rules(build), [], Const(0, 1)
    for operation in OPCODES.values():
        command = data.View(command_layout(operation.opcode), descriptor)
        mine = header.opcode == operation.opcode
        known = known | (mine & (header.engine == operation.engine))
        broken = Cat(_breaks(command, name, rule) for name, rule in rules[operation.opcode].items()).any()
        if operation.opcode == Opcode.STREAM:
            broken = broken | ((command.listed != 0) & (~command.head | (command.row_beats == 0)))
        elif operation.opcode == Opcode.LOGITS:
            broken = broken | (command.listed & command.write_logits)
        faults.append(mine & broken)
    return Cat(*faults, ~known)
