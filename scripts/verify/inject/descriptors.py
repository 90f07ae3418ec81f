"""Descriptors in a bench's memory, made wrong behind the host's check."""

from __future__ import annotations

import numpy as np

from host.runtime import Session
from models.machine.descriptor import DESCRIPTOR_BYTES, HEADER, OPCODES, Field, Opcode
from scripts.verify.inject.form import PLAIN, Form

__all__ = ["DecodeList"]


class DecodeList:
    """The descriptors of a decoded token as they lie in a session's buffer, `raw`; of one program of a pass of another
    form, the one that `number` names modulo how many have descriptors."""

    def __init__(self, session: Session, form: Form = PLAIN, number: int = 0):
        passes = session.program.get_passes("decode", form.rows, (), 0, frozenset(form.points))
        listed = [item for item in passes if item.count]
        item = listed[number % len(listed)]
        self.raw = session.buffer.array[item.offset:item.offset + item.count * DESCRIPTOR_BYTES]
        self.count = item.count

    def opcode(self, index: int) -> Opcode:
        """The operation of a descriptor."""
        return Opcode(self.raw[index * DESCRIPTOR_BYTES] >> 4)

    def indices(self, opcode: Opcode) -> list[int]:
        """Those of an operation."""
        return [index for index in range(self.count) if self.opcode(index) == opcode]

    def fields(self, index: int) -> tuple[Field, ...]:
        """All fields of a descriptor."""
        return HEADER + OPCODES[self.opcode(index)].fields

    def put(self, index: int, name: str, value: int) -> None:
        """Other bits for a field by name."""
        self.put_field(index, next(field for field in self.fields(index) if field.name == name), value)

    def put_field(self, index: int, field: Field, value: int) -> None:
        """Other bits for a field, of this operation or another."""
        mask = (1 << field.width) - 1
        word = self._word(index) & ~(mask << field.offset) | (value & mask) << field.offset
        self._slice(index)[:] = np.frombuffer(word.to_bytes(DESCRIPTOR_BYTES, "little"), np.uint8)

    def flip(self, index: int, bit: int) -> None:
        """Turn a bit of a descriptor over."""
        self._slice(index)[bit // 8] ^= np.uint8(1 << bit % 8)

    def _slice(self, index: int) -> np.ndarray:
        return self.raw[index * DESCRIPTOR_BYTES:(index + 1) * DESCRIPTOR_BYTES]

    def _word(self, index: int) -> int:
        return int.from_bytes(self._slice(index).tobytes(), "little")
