"""One line of a report: what was looked at, whether it is well, and what to do where it isn't."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TextIO

from models.errors import TritloomError

__all__ = ["Check", "State", "failed", "guarded", "passed", "report", "skipped"]

FAILURE = 1
"""Exit status where a line failed; 2 is for options that make no sense."""


class State(Enum):
    """Of a line."""

    PASS = "pass"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Check:
    """found: what is there, in words. fix: what to do, "" where nothing is to be done. data: numbers, for `--json`."""

    name: str
    state: State
    found: str
    fix: str = ""
    data: dict[str, object] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """For people."""
        return f"{self.state.value:7} {self.name:22} {self.found}" + (f"\n{'':30} -> {self.fix}" if self.fix else "")


def passed(name: str, found: str, **data: object) -> Check:
    """A line that is well."""
    return Check(name, State.PASS, found, data=data)


def failed(name: str, found: str, fix: str, **data: object) -> Check:
    """A line that is not, with its fix."""
    return Check(name, State.FAIL, found, fix, data)


def skipped(name: str, why: str) -> Check:
    """A line that could not be looked at."""
    return Check(name, State.SKIPPED, why)


def guarded(name: str, fix: str, look: Callable[[], Check]) -> Check:
    """The line that `look` gives; one that failed where it meets a `TritloomError`."""
    try:
        return look()
    except TritloomError as error:
        return failed(name, str(error), fix)


def report(checks: Iterable[Check], *, as_json: bool, out: TextIO | None = None) -> None:
    """Print the lines as they come, or one JSON object; `SystemExit` with status 1 where one failed."""
    out, done = out or sys.stdout, []
    for check in checks:
        done.append(check)
        if not as_json:
            print(check.line, file=out, flush=True)
    counts = {state: sum(check.state == state for check in done) for state in State}
    if as_json:
        print(json.dumps({"ok": not counts[State.FAIL], "checks": [_json(check) for check in done]}), file=out)
    else:
        print(", ".join(f"{counts[state]} {word}" for state, word in zip(State, _WORDS, strict=True)), file=out)
    if counts[State.FAIL]:
        raise SystemExit(FAILURE)


_WORDS: Sequence[str] = ("passed", "failed", "skipped")


def _json(check: Check) -> dict[str, object]:
    return asdict(check) | {"state": check.state.value}
