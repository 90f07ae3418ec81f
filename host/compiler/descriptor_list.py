"""A list of descriptors in the making: semaphores by name, and vectors loaded once for all who read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from models.machine.descriptor import LoadTarget, Opcode, pack

__all__ = ["DescriptorList", "Semaphore"]


class Semaphore(IntEnum):
    """Uses of the semaphores; each has one waiting engine."""

    RESIDUAL_LOADED = 0
    GAIN_LOADED = 1
    ROPE_LOADED = 2
    ACTIVATIONS_READY = 3
    SUMS_READY = 4
    GAIN_FREE = 5
    CACHE_READY = 6
    ATTENTION_READY = 7
    HEAD_READY = 8
    TAP_LOADED = 9
    TAP_FREE = 10
    HEAD_FREE = 11
    SUMS_FREE = 12
    LIST_READY = 13


_VECTORS = {LoadTarget.GAIN: (Semaphore.GAIN_LOADED, Semaphore.GAIN_FREE),
            LoadTarget.TAP: (Semaphore.TAP_LOADED, Semaphore.TAP_FREE)}


@dataclass
class _Item:
    opcode: Opcode
    wait: int
    signal: int
    fields: dict[str, int]


@dataclass
class DescriptorList:
    """Descriptors in a valid sequential order: each one's semaphores are given by earlier ones."""

    _items: list[_Item] = field(default_factory=list)
    _held: dict[LoadTarget, str] = field(default_factory=dict)
    _readers: dict[LoadTarget, _Item] = field(default_factory=dict)  # the last of what is held

    def add(self, opcode: Opcode, *, wait: Iterable[Semaphore] = (), signal: Iterable[Semaphore] = (),
            reads: Iterable[LoadTarget] = (), **fields: int) -> None:
        """The next descriptor. reads: vectors that `load_vector` has seen to."""
        item = _Item(opcode, _mask(wait), _mask(signal), fields)
        self._items.append(item)
        self._readers.update(dict.fromkeys(reads, item))

    def load_vector(self, memory: LoadTarget, name: str, address: int, size: int,
                    target: LoadTarget | None = None) -> tuple[Semaphore, ...]:
        """See that gains or a tap, by name, lie in their memory; what the next one that reads them waits for.

        target: as what they are loaded, where that is not the memory's own.

        All readers are of one engine, so those that follow the first need not wait, and the last one before
        another vector comes frees the memory.
        """
        if self._held.get(memory) == name:
            return ()
        loaded, free = _VECTORS[memory]
        reader = self._readers.get(memory)
        if reader is not None:
            reader.signal |= 1 << free
        self.add(Opcode.LOAD, wait=() if reader is None else (free,), signal=(loaded,), address=address,
                 target=memory if target is None else target, address_stride=0, bytes=size, offset=0, sequence=0, row=0)
        self._held[memory] = name
        return (loaded,)

    def packed(self) -> list[bytes]:
        """All of them as they lie in memory."""
        return [pack(item.opcode, wait=item.wait, signal=item.signal, **item.fields) for item in self._items]


def _mask(semaphores: Iterable[Semaphore]) -> int:
    mask = 0
    for semaphore in semaphores:
        mask |= 1 << semaphore
    return mask
