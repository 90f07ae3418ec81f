"""What runs once a cycle in a bench: generators that one task of a clock steps at its rising edges.

A task of cocotb's own costs several times the few lines that it runs in a cycle.
"""

from collections.abc import Generator
from typing import TypeAlias

from cocotb import start_soon
from cocotb.handle import SimHandleBase
from cocotb.simtime import get_sim_time
from cocotb.triggers import RisingEdge

__all__ = ["EdgeSteps", "Steps", "steps_of"]

Steps: TypeAlias = Generator[None, None, None]
"""Goes on from each ``yield`` at the next rising edge."""

_kept: dict[SimHandleBase, "EdgeSteps"] = {}


def steps_of(clock: SimHandleBase) -> "EdgeSteps":
    """The one that steps at this clock's edges in the test that runs."""
    if clock not in _kept or _kept[clock].over:
        _kept[clock] = EdgeSteps(clock)
    return _kept[clock]


class EdgeSteps:
    """Steps what has joined, in that order, until it leaves or ends. What one raises fails the test."""

    def __init__(self, clock: SimHandleBase) -> None:
        self._edge = RisingEdge(clock)
        self._members: dict[Steps, None] = {}
        self._new: dict[Steps, float] = {}  # with the time at which they joined
        self._task = start_soon(self._run())

    @property
    def over(self) -> bool:
        """Whether the test has ended."""
        return self._task.done()

    def join(self, member: Steps) -> None:
        """Step it from the next edge on: not at the one that is now, at which others may have had their turn."""
        self._new[member] = get_sim_time()

    def leave(self, member: Steps) -> None:
        """Step it no more; nothing where it has ended."""
        self._members.pop(member, None)
        self._new.pop(member, None)

    async def _run(self) -> None:
        while True:
            await self._edge
            if self._new:
                now = get_sim_time()
                for member in [member for member, time in self._new.items() if time != now]:
                    del self._new[member]
                    self._members[member] = None
            for member in tuple(self._members):
                try:
                    member.send(None)
                except StopIteration:
                    self.leave(member)
