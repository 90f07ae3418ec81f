"""How nextpnr's router comes on, read from its log while it works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from models.errors import BuildError

__all__ = ["PATIENCE", "RouterRounds"]

PATIENCE = 50
"""Rounds without a better one, after which a router is given up: the longest seen before it found its way is 18."""

_ROUND = re.compile(r"iter=(\d+) wires=\d+ overused=(\d+)")


class RouterRounds:
    """Call it now and then: it says which round the router has come to, and ends a run that has turned.

    router2 first takes wires for several nets at once, and settles in rounds who gets them. Where too few are free it
    goes on for ever, and after its best round worse and worse. `BuildError` then, with that round.
    """

    def __init__(self, log: Path, what: str, say: Callable[[str], None]) -> None:
        self._log, self._what, self._say = log, what, say
        self._told = 0

    def __call__(self) -> None:
        rounds = [(int(number), int(twice)) for number, twice in _ROUND.findall(
            self._log.read_text(encoding="utf-8", errors="replace"))]
        if not rounds or rounds[-1][0] == self._told:
            return
        self._told, twice = rounds[-1]
        self._say(f"{self._what}: round {self._told} of the router, {twice:,} wires taken twice")
        best, least = min(rounds, key=lambda one: one[1])
        if least and self._told - best >= PATIENCE:
            raise BuildError(f"{self._what} cannot be routed: in the router's best round, round {best} of "
                             f"{self._told}, {least:,} wires were taken twice")
