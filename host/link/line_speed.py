"""How fast and how clean a line is: for the report on a board."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from models.machine.registers import register

if TYPE_CHECKING:
    from host.link.client import Client

__all__ = ["SLOW_MS", "Line", "measure_line"]

SLOW_MS = 6.0
"""Of a round trip, above which something keeps answers back: USB takes 1 to 2."""
_TRIPS = 25


class Line(NamedTuple):
    """milliseconds: the median round trip. damaged: frames so far, both ends'; dropped: the board's, of no place."""

    port: str
    milliseconds: float
    damaged: int
    dropped: int


def measure_line(client: Client) -> Line:
    """Ask for a register some times."""
    times = []
    for _ in range(_TRIPS):
        start = client.transport.now()
        client.read_registers(register("ID").offset, 1)
        times.append(client.transport.now() - start)
    greeting = client.greeting
    return Line(client.transport.name, median(times) * 1e3, greeting.damaged + client.damaged, greeting.dropped)
