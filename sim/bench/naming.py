"""What each descriptor of a pass is for, by name: `3.gate` is that matrix of layer 3, on the engine at work on it."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

from host.compiler.memory_map import MemoryMap
from models.machine.descriptor import (
    DESCRIPTOR_BYTES,
    OPCODES,
    Descriptor,
    Engine,
    LoadTarget,
    NormSource,
    Opcode,
    StoreSource,
    unpack,
)

__all__ = ["Named", "named"]

_OF_LAYER = {Opcode.QUERY: "query", Opcode.KEY: "key", Opcode.VALUE: "value", Opcode.ATTEND: "attend"}


@dataclass(frozen=True)
class Named:
    """A descriptor by its place in the list. layer: None for what belongs to none. part: its name without the layer."""

    index: int
    fields: Descriptor
    part: str
    layer: int | None = None

    @property
    def engine(self) -> Engine:
        """Who works on it."""
        return OPCODES[self.fields.opcode].engine

    @property
    def name(self) -> str:
        """Layer and part."""
        return self.part if self.layer is None else f"{self.layer}.{self.part}"


def named(program: bytes, memory: MemoryMap, base: int, layers: int) -> list[Named]:
    """The descriptors of a pass that isn't cut, in order.

    program: as they lie in memory. memory, base: where matrices and vectors lie, from which address on. layers: of the
    model. What a row's steps belong to follows from their order: each layer adds two residuals onto each row.
    """
    names = {base + offset: name for name, offset in memory.offsets.items()}
    found: list[Named] = []
    streams: deque[str] = deque()  # of matrices, not yet multiplied
    added: dict[int, int] = defaultdict(int)  # residuals on each row so far
    for start in range(0, len(program), DESCRIPTOR_BYTES):
        fields = unpack(program[start:start + DESCRIPTOR_BYTES])
        opcode, layer = fields.opcode, None
        half = added[fields.first_row] if fields.has("first_row") else 0
        if opcode == Opcode.STREAM:
            part = names[fields.address]
            if not fields.head:
                streams.append(part)
        elif opcode == Opcode.LOAD:
            part = names.get(fields.address, LoadTarget(fields.target).name.lower())
        elif opcode == Opcode.MATMUL:
            part = streams.popleft()
        elif opcode == Opcode.NORM and half == 2 * layers:
            part = "norm head"
        elif opcode == Opcode.NORM:
            layer, part = half // 2, f"norm {_norm_of(fields, half)}"
        elif opcode == Opcode.RESIDUAL:
            layer, part = half // 2, ("residual o", "residual down")[half % 2]
            for row in range(fields.first_row, fields.first_row + fields.rows):
                added[row] += 1
        elif opcode in _OF_LAYER:
            layer, part = half // 2, _OF_LAYER[opcode]
        else:
            part = {Opcode.LOGITS: "head", Opcode.SELECT: "choose"}.get(opcode) or \
                f"store {StoreSource(fields.source).name.lower()}"
        if layer is None and part.partition(".")[0].isdecimal():
            number, _, part = part.partition(".")
            layer = int(number)
        found.append(Named(len(found), fields, part, layer))
    return found


def _norm_of(fields: Descriptor, half: int) -> str:
    """The matrices whose input a NORM makes."""
    sources = {NormSource.ATTENTION: "o", NormSource.GATED: "down"}
    return sources.get(NormSource(fields.source)) or ("q k v", "gate up")[half % 2]
