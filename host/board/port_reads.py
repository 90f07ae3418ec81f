"""How many reads a memory port of the processor has under way: its issuing capability.

Eight as the processor boots, 16 at most, and more than eight only while no more than eight IDs are under way and the
port's buffer of 128 beats has room (UG1085, AXI FIFO interface; UG1087, AFIFM RDISSUE, which holds one less). Whether
more than eight gains anything, nobody has measured.
"""

from __future__ import annotations

from collections.abc import Callable

from models.errors import OptionError

__all__ = ["MOST_READS", "READ_REGISTERS", "PortReads"]

MOST_READS = 16
_FIELD = 0xF
READ_REGISTERS = tuple(0xFD38_0004 + port * 0x1_0000 for port in range(4))
"""Addresses of a Zynq UltraScale+'s RDISSUE, HP0 to HP3."""


class PortReads:
    """The first `ports` of HP0 .. HP3. read, write: a register by its address."""

    def __init__(self, read: Callable[[int], int], write: Callable[[int, int], None], ports: int):
        self._read, self._write = read, write
        self._registers = READ_REGISTERS[:ports]
        self._found: dict[int, int] = {}

    def get(self) -> tuple[int, ...]:
        """Of each port."""
        return tuple((self._read(address) & _FIELD) + 1 for address in self._registers)

    def set(self, reads: int) -> None:
        """The same for all, until `restore`. `OptionError` for a number that the field has not."""
        if not 1 <= reads <= MOST_READS:
            raise OptionError(f"a memory port has 1 to {MOST_READS} reads under way, not {reads}")
        for address in self._registers:
            found = self._read(address)
            self._found.setdefault(address, found)
            self._write(address, found & ~_FIELD | reads - 1)

    def restore(self) -> None:
        """What was found before the first `set`."""
        for address, found in self._found.items():
            self._write(address, found)
        self._found.clear()
