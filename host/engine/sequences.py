"""The sequences of a session: who runs on each, and what the caches of the others still hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from host.engine.reply import Reply
from host.pipeline.stage import Stage

__all__ = ["Slot", "best_slot", "shared"]


@dataclass
class Slot:
    """A sequence. history: ids of who runs, prompt and output, or those in the cache of one that is free.

    stages: those of a request alone, under which the cache was filled. served: the last pass that had rows of it, 0 for
    none.
    """

    sequence: int
    history: list[int] = field(default_factory=list)
    stages: Sequence[Stage] = ()
    reply: Reply | None = None
    served: int = 0

    def cached(self, ids: Sequence[int], stages: Sequence[Stage]) -> int:
        """How many ids of a prompt's start the cache has as these stages leave them; the same are equal objects."""
        return shared(self.history, ids) if list(self.stages) == list(stages) else 0


def best_slot(free: Sequence[Slot], ids: Sequence[int], stages: Sequence[Stage] = ()) -> Slot:
    """The free sequence whose cache has most of a prompt's start, or the one that was used least recently.

    The first saves what it has of the start, and costs the rest of its cache, which may be asked for again: counted by
    half. Prompts of one system message would else take the cache of each other's conversations while others are empty.
    """
    cached = {slot.sequence: slot.cached(ids, stages) for slot in free}

    def cost(slot: Slot) -> float:
        return (len(slot.history) - cached[slot.sequence]) / 2 - cached[slot.sequence]

    oldest = min(free, key=lambda slot: (slot.served, slot.sequence))
    nearest = min(free, key=lambda slot: (-cached[slot.sequence], slot.served, slot.sequence))
    return min(nearest, oldest, key=cost)


def shared(first: Sequence[int], second: Sequence[int]) -> int:
    """How many ids two lists have in common from their start on."""
    return next((index for index, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
                min(len(first), len(second)))
